package sqlstore

import (
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

func TestConnectorPragmas(t *testing.T) {
	for _, c := range []struct {
		params string
		want   string // synchronous: 0 OFF, 1 NORMAL, 2 FULL
	}{
		{"", "2"},
		{"?_pragma=synchronous(NORMAL)", "1"},
		{"?_pragma=Synchronous=OFF", "0"},
	} {
		s := open(t, file(t)+c.params)
		var synchronous, mode string
		if err := s.db.QueryRow("PRAGMA synchronous").Scan(&synchronous); err != nil {
			t.Fatal(err)
		}
		if err := s.db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil {
			t.Fatal(err)
		}
		if synchronous != c.want || mode != "wal" {
			t.Errorf("%q: synchronous %s, journal_mode %s; want %s, wal", c.params, synchronous, mode, c.want)
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

func TestUnknownDialect(t *testing.T) {
	if _, err := New(t.Context(), nil, Dialect(99)); err == nil || !strings.Contains(err.Error(), "Dialect(99)") {
		t.Errorf("got %v, want an error that names the dialect", err)
	}
}
