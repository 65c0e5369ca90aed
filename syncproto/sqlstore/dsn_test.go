package sqlstore

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestConnector(t *testing.T) {
	for _, c := range []struct{ dsn, want string }{
		{"sqlite:appsync.db", "file:appsync.db?"},
		{"sqlite:/var/lib/appsync.db", "file:/var/lib/appsync.db?"},
		{"sqlite:///var/lib/appsync.db", "file:/var/lib/appsync.db?"},
		{"sqlite:100%.db", "file:100%25.db?"},
		{"sqlite:with space#.db", "file:with%20space%23.db?"},
	} {
		got, d, err := Connector(c.dsn)
		if err != nil || d != SQLite || !strings.HasPrefix(string(got.(sqliteConnector)), c.want) {
			t.Errorf("%s: %v, %v, %v; want %s...", c.dsn, got, d, err, c.want)
		}
	}
	for _, dsn := range []string{"", "appsync.db", "sqlite:", "sqlite::memory:", "sqlite:file?mode=memory", "oracle:x", "sqlite:a?%zz"} {
		if got, _, err := Connector(dsn); err == nil {
			t.Errorf("%q: %v, want an error", dsn, got)
		}
	}
}

func TestConnectorServers(t *testing.T) {
	for _, c := range []struct {
		dsn     string
		dialect Dialect
	}{
		{"postgres://ann:secret@db.example:5433/sync?sslmode=require", PostgreSQL},
		{"postgresql://db.example/sync", PostgreSQL},
		{"mysql://ann:secret@db.example:3307/sync?tls=skip-verify", MySQL},
		{"mysql:ann:secret@tcp(db.example:3306)/sync", MySQL},
	} {
		if got, d, err := Connector(c.dsn); err != nil || got == nil || d != c.dialect {
			t.Errorf("%s: %v, %v, %v; want %v", c.dsn, got, d, err, c.dialect)
		}
	}
	for _, dsn := range []string{
		"postgres://ann:secret@db.example:port/sync",
		"mysql://ann:secret@db.example:port/sync",
		"mysql://ann:secret@db.example/sync?timeout=soon",
		"mysql:ann:secret@db.example",
	} {
		got, _, err := Connector(dsn)
		if err == nil || got != nil {
			t.Errorf("%s: %v, want an error and no connector", dsn, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", dsn, err)
		}
	}
}

func TestMySQLNative(t *testing.T) {
	for in, want := range map[string]string{
		"//ann:p%40ss%2Fw@db.example/sync?tls=true":  "ann:p@ss/w@tcp(db.example:3306)/sync?tls=true",
		"//ann@[::1]:3307/sync":                      "ann@tcp([::1]:3307)/sync",
		"ann@unix(/run/mysqld.sock)/sync?timeout=2s": "ann@unix(/run/mysqld.sock)/sync?timeout=2s",
	} {
		if got, err := mysqlNative(in); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestConnectorPragmas(t *testing.T) {
	for _, c := range []struct {
		params            string
		synchronous, size string // synchronous: 0 OFF, 1 NORMAL, 2 FULL
	}{
		{"", "2", "-512"},
		{"?_pragma=synchronous(NORMAL)", "1", "-512"},
		{"?_pragma=Synchronous=OFF", "0", "-512"},
		{"?_pragma=cache_size(100)", "2", "100"},
	} {
		s := open(t, file(t)+c.params)
		for pragma, want := range map[string]string{"synchronous": c.synchronous, "journal_mode": "wal", "cache_size": c.size} {
			var got string
			if err := s.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%q: %s is %s, %v; want %s", c.params, pragma, got, err, want)
			}
		}
	}
}

// TestConnectorName: odd names are names of files and nothing else.
func TestConnectorName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a b", "a%20b", "a#b", "ä", "a&b=c", "'"} {
		s := open(t, "sqlite:"+dir+"/"+name)
		var got string
		if err := s.db.QueryRow("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&got); err != nil {
			t.Fatal(err)
		}
		if want := dir + "/" + name; got != want {
			t.Errorf("opened %q, want %q", got, want)
		}
	}
}

// SQLite itself says "out of memory" of both.
func TestFileThatCannotBeOpened(t *testing.T) {
	folder := t.TempDir()
	for dsn, want := range map[string]string{
		"sqlite:" + folder + "/no%20where/a.db": "open " + folder + "/no%20where/a.db: no such file or directory",
		"sqlite:" + folder:                      "open " + folder + ": is a directory",
	} {
		_, err := Open(t.Context(), dsn)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", dsn, err, want)
		}
	}
}

func TestUnknownDialect(t *testing.T) {
	if _, err := New(t.Context(), nil, Dialect(99)); err == nil || !strings.Contains(err.Error(), "Dialect(99)") {
		t.Errorf("got %v, want an error that names the dialect", err)
	}
}

// FuzzConnector: no DSN makes it panic, and it returns a connector or an error.
func FuzzConnector(f *testing.F) {
	for _, dsn := range []string{"sqlite:a?_pragma=x", "postgres://a:b@c:1/d?x=y", "mysql://a:b@c:1/d?x=y", "mysql:a@unix(/b)/c"} {
		f.Add(dsn)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		if c, d, err := Connector(dsn); (err == nil) != (c != nil && d != 0) {
			t.Errorf("%q: %v, %v, %v", dsn, c, d, err)
		}
	})
}

// TestNewFileIsPrivate: a new file and those beside it are their owner's; one
// that is there keeps what it has, and a DSN that forbids to make one is obeyed.
func TestNewFileIsPrivate(t *testing.T) {
	mode := func(path string) fs.FileMode {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if runtime.GOOS == "windows" {
		t.Skip("files have no such permissions there")
	}
	path := filepath.Join(t.TempDir(), "with space%.db")
	s := open(t, "sqlite:"+path)
	mustWrite(t, s, key("ann"), "a")
	for _, beside := range []string{"", "-wal", "-shm"} {
		if got := mode(path + beside); got != 0o600 {
			t.Errorf("%s is %v", path+beside, got)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	open(t, "sqlite:"+path)
	if got := mode(path); got != 0o640 {
		t.Errorf("the file was made %v for a group, and is %v", fs.FileMode(0o640), got)
	}
	missing := filepath.Join(t.TempDir(), "missing.db")
	if _, err := Open(t.Context(), "sqlite:"+missing+"?mode=rw"); err == nil {
		t.Error("mode=rw of a file that is missing: no error")
	}
}
