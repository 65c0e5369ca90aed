package syncproto

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/sqlstore"
)

// The DSN of a database with the parameters that it has by default, where every
// commit is flushed, and as PocketBase has it, where only checkpoints are.
const (
	full   = ""
	normal = "?_pragma=synchronous(NORMAL)"
)

// openSQLite opens a store in a new file, and the database below it.
func openSQLite(b *testing.B, params string) (*sqlstore.Store, *sql.DB) {
	b.Helper()
	connector, dialect, err := sqlstore.Connector("sqlite:" + filepath.Join(b.TempDir(), "bench.db") + params)
	if err != nil {
		b.Fatal(err)
	}
	db := sql.OpenDB(connector)
	b.Cleanup(func() { db.Close() })
	s, err := sqlstore.New(b.Context(), db, dialect)
	if err != nil {
		b.Fatal(err)
	}
	return s, db
}

// makeRoom keeps databases from each other's memory. All those of a process share
// the sum of what their connections may keep of pages, and one with much to read
// takes it from the others, which then have to give up each page that they have
// used. A database that keeps nothing of what it may is room enough.
func makeRoom(b *testing.B) {
	b.Helper()
	openSQLite(b, "?_pragma=cache_size(-1000000)")
}

const users = 256

func user(i int) string   { return fmt.Sprintf("user%d@example.com", i) }
func origin(i int) string { return fmt.Sprintf("https://app%d.example.com", i) }

// document is an app of about 400 bytes.
func document(i int) string {
	return fmt.Sprintf(`{"origin":%q,"last_modified":1323084512100,"manifest":{"name":"%s"}}`, origin(i), strings.Repeat("x", 300))
}

func write(b *testing.B, s syncproto.Store, user string, apps int) syncproto.Time {
	b.Helper()
	var w syncproto.Write
	for i := range apps {
		w.Apps = append(w.Apps, syncproto.App{Origin: origin(i), Doc: []byte(document(i))})
	}
	res, err := s.Write(b.Context(), syncproto.Key{User: user, Collection: "apps"}, w)
	if err != nil {
		b.Fatal(err)
	}
	return res.Time
}

func target(user string) string { return "/collections/" + user + "/apps" }
