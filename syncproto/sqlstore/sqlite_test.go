package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
	"github.com/brownout-go/brownout/timeout"
)

var apps = syncproto.Key{User: "ann@example.com", Collection: "apps"}

func app(origin, doc string) syncproto.App {
	return syncproto.App{Origin: origin, Doc: []byte(doc)}
}

// open opens a store that the test's end closes.
func open(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func file(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "sync.db") }

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncproto.Store { return open(t, file(t)) })
}

func TestSQLiteTwoStores(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncproto.Store {
		dsn := file(t)
		return &pair{stores: [2]*Store{open(t, dsn), open(t, dsn)}}
	})
}

// TestSQLiteForeignDB: a database opened by somebody else, who knows nothing of
// what the store would like: deferred transactions, no busy timeout.
func TestSQLiteForeignDB(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncproto.Store {
		path := filepath.Join(t.TempDir(), "sync.db")
		var p pair
		for i := range p.stores {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			if p.stores[i], err = New(t.Context(), db, SQLite); err != nil {
				t.Fatal(err)
			}
			if err := p.stores[i].Close(); err != nil || db.PingContext(t.Context()) != nil {
				t.Fatalf("Close: %v; it must leave a database alone that it didn't open", err)
			}
		}
		return &p
	})
}

// TestSQLiteGuarded: the driver behind the limits of a backend.
func TestSQLiteGuarded(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncproto.Store {
		guard, err := timeout.NewBackend(timeout.BackendConfig{Name: "sqlite", Call: time.Minute, Slots: 8, Queue: 64})
		if err != nil {
			t.Fatal(err)
		}
		connector, dialect, err := Connector(file(t))
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(guard.Connector(connector))
		t.Cleanup(func() { db.Close() })
		s, err := New(t.Context(), db, dialect)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestRestart(t *testing.T) { testRestart(t, func(t *testing.T) string { return file(t) }) }

func testRestart(t *testing.T, fresh func(*testing.T) (dsn string)) {
	storetest.Restart(t, func(t *testing.T) func() syncproto.Store {
		dsn, s := fresh(t), (*Store)(nil)
		return func() syncproto.Store {
			if s != nil {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
			s = open(t, dsn)
			return s
		}
	})
	dsn := fresh(t)

	apps := syncproto.Key{User: "restart@example.com", Collection: "apps"}
	s := open(t, dsn)
	res, err := s.Write(t.Context(), apps, syncproto.Write{ID: "w", Apps: []syncproto.App{app("a", `{}`), app("b", `{}`)}})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := s.Secret(t.Context())
	if err != nil || len(secret) != 32 {
		t.Fatalf("Secret: %x, %v", secret, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.State(t.Context(), apps); err == nil {
		t.Error("State after Close: no error")
	}

	s = open(t, dsn)
	if st, err := s.State(t.Context(), apps); err != nil || st.UUID != res.UUID || st.Last != res.Time {
		t.Errorf("state %+v, %v; want that of %+v", st, err, res)
	}
	if again, err := s.Write(t.Context(), apps, syncproto.Write{ID: "w", Apps: []syncproto.App{app("a", `{}`)}}); err != nil || !again.Replayed || again.Time != res.Time {
		t.Errorf("the same ID after a restart: %+v, %v; want a replay", again, err)
	}
	if again, err := s.Secret(t.Context()); err != nil || !bytes.Equal(again, secret) {
		t.Errorf("Secret after a restart: %x, %v; want %x", again, err, secret)
	}
}

// TestOpenAtOnce: servers that start together make the tables once, and agree
// on the secret.
func TestOpenAtOnce(t *testing.T) {
	openAtOnce(t, file(t))
}

func openAtOnce(t *testing.T, dsn string) {
	const n = 4
	secrets := make([][]byte, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			s, err := Open(t.Context(), dsn)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if secrets[i], err = s.Secret(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, secret := range secrets {
		if len(secret) != 32 || !bytes.Equal(secret, secrets[0]) {
			t.Fatalf("secrets differ: %x", secrets)
		}
	}
}

func TestNewerTables(t *testing.T) {
	dsn := file(t)
	s := open(t, dsn)
	if _, err := s.db.Exec("UPDATE sync_version SET version = version + 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "use a newer one") {
		t.Errorf("Open of tables from the future: %v", err)
	}
}

// TestBusy: another process holds the database. Waiting for it ends with the
// context, and a write goes through once it is over.
func TestBusy(t *testing.T) {
	dsn := file(t)
	s := open(t, dsn)
	other := open(t, dsn)
	tx, err := other.db.BeginTx(t.Context(), nil) // immediate
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()

	short, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	w := syncproto.Write{Apps: []syncproto.App{app("a", `{}`)}}
	_, err = s.Write(short, apps, w)
	var busy *sqlite.Error
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write to a busy database: %v, want the deadline's error", err)
	}
	if !errors.As(err, &busy) {
		t.Errorf("Write to a busy database: %v does not unwrap to the driver's error", err)
	}
	if _, err := s.State(t.Context(), apps); err != nil {
		t.Errorf("State of a database that is being written: %v", err)
	}

	done := make(chan error)
	go func() {
		_, err := s.Write(t.Context(), apps, w)
		done <- err
	}()
	// A second writer of the same store waits for the first and not for the
	// database. Its context ends nothing but its own wait.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Write(gone, apps, w); !errors.Is(err, context.Canceled) {
		t.Errorf("Write in the queue: %v, want context.Canceled", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("Write once the database was free: %v", err)
	}
}

// TestCommitFails: SQLite leaves a transaction open whose commit failed. The
// connection must not go back to the pool with it: it has the database.
func TestCommitFails(t *testing.T) {
	s := open(t, file(t)+"?_pragma=foreign_keys(1)")
	for _, q := range []string{
		"CREATE TABLE parent (id INTEGER PRIMARY KEY)",
		"CREATE TABLE child (parent INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)",
	} {
		if _, err := s.db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		err := s.transact(t.Context(), 1, func(tx *tx) error { return tx.exec("INSERT INTO child VALUES (1)") })
		if err == nil || !strings.Contains(err.Error(), "FOREIGN KEY") {
			t.Fatalf("a commit that breaks a constraint: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Write(ctx, apps, syncproto.Write{Apps: []syncproto.App{app("a", `{}`)}}); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

// TestReadLetsGo: a slow client must hold no connection while it takes a
// short answer, or a few of them stop everybody.
func TestReadLetsGo(t *testing.T) {
	s := open(t, file(t))
	s.db.SetMaxOpenConns(1)
	first, err := s.Write(t.Context(), apps, syncproto.Write{Apps: []syncproto.App{app("a", `{"n":1}`), app("b", `{}`)}})
	if err != nil {
		t.Fatal(err)
	}
	var docs []string
	_, err = s.Read(t.Context(), apps, 0, 0, func(st syncproto.State) error {
		if st.Last != first.Time {
			t.Errorf("begin with %v, want %v", st.Last, first.Time)
		}
		// With one connection this would never come back.
		_, err := s.Write(t.Context(), apps, syncproto.Write{Apps: []syncproto.App{app("a", `{"n":2}`)}})
		return err
	}, func(r syncproto.Record) error {
		docs = append(docs, string(r.Doc))
		return nil
	})
	if err != nil || strings.Join(docs, "") != `{"n":1}{}` {
		t.Errorf("read %q, %v; want the moment that it began at", docs, err)
	}
}

// TestReadStreams: a long answer is not gathered in memory, and shows one
// moment although others write meanwhile.
func TestReadStreams(t *testing.T) {
	s := open(t, file(t))
	const n = 300
	doc := `{"fill":"` + strings.Repeat("x", 4000) + `","n":1}`
	var all []syncproto.App
	for i := range n {
		all = append(all, app(string(rune('A'+i/26))+string(rune('a'+i%26)), doc))
	}
	if _, err := s.Write(t.Context(), apps, syncproto.Write{Apps: all}); err != nil {
		t.Fatal(err)
	}
	seen, wrote := 0, false
	_, err := s.Read(t.Context(), apps, 0, 0, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
		if !wrote { // the first records come before the last are read
			wrote = true
			if _, err := s.Write(t.Context(), apps, syncproto.Write{Delete: &syncproto.Deletion{}}); err != nil {
				return err
			}
		}
		if string(r.Doc) != doc {
			t.Errorf("record %q is not as it was written", r.Origin)
		}
		seen++
		return nil
	})
	if err != nil || seen != n {
		t.Errorf("%d of %d records, %v", seen, n, err)
	}
	if st, err := s.State(t.Context(), apps); err != nil || st.Deleted == nil {
		t.Errorf("the write during the read is gone: %+v, %v", st, err)
	}
}

// TestIDsAreBounded: a client can't fill the database with IDs, and the newest
// are the ones that are kept.
func TestIDsAreBounded(t *testing.T) {
	s := open(t, file(t)+"?_pragma=synchronous(OFF)")
	id := func(i int) string { return "id" + strings.Repeat("i", i%60) + string(rune('0'+i)) }
	const n = 2*syncproto.IDsKept + 100
	for i := range n {
		if _, err := s.Write(t.Context(), apps, syncproto.Write{ID: id(i)}); err != nil {
			t.Fatal(err)
		}
	}
	var kept int
	if err := s.db.QueryRow("SELECT COUNT(*) FROM sync_writes").Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if kept < syncproto.IDsKept || kept > 2*syncproto.IDsKept {
		t.Errorf("%d IDs kept of %d, want %d to twice as many", kept, n, syncproto.IDsKept)
	}
	for _, i := range []int{n - 1, n - syncproto.IDsKept} {
		if res, err := s.Write(t.Context(), apps, syncproto.Write{ID: id(i)}); err != nil || !res.Replayed {
			t.Errorf("ID %d of %d: %+v, %v; want a replay", i, n, res, err)
		}
	}
}

// TestPlans: no statement looks at rows of more than one collection, or, where
// it is about a user, of more than one user; not even where ANALYZE has seen that
// one user has nearly everything.
func TestPlans(t *testing.T) {
	s := open(t, file(t))
	checkPlans(t, s)
	mustWrite(t, s, key("ann"), "a", "b")
	for _, query := range []string{
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)" +
			" INSERT INTO sync_rows (id, collection, origin, written, doc)" +
			" SELECT (c.id >> 32 << 32) + i, c.id, 'app' || i, i / 1000, x'00' FROM n, sync_rows c WHERE c.account IS NOT NULL",
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)" +
			" INSERT INTO sync_writes SELECT account, name, i, i, 1 FROM n, sync_rows WHERE account IS NOT NULL",
	} {
		mustExec(t, s, query)
	}
	mustExec(t, s, "ANALYZE")
	s.db.SetMaxIdleConns(0) // what a connection has prepared it has planned
	checkPlans(t, s)
}

// TestPlansOfSmallFile: nor where ANALYZE has seen that there is nearly nothing,
// once the store is opened again.
func TestPlansOfSmallFile(t *testing.T) {
	dsn := file(t)
	s := open(t, dsn)
	mustWrite(t, s, key("ann"), "a")
	mustExec(t, s, "ANALYZE")
	mustWrite(t, s, key("ann"), "b", "c")
	s = open(t, dsn)
	checkPlans(t, s)
	s.db.SetMaxIdleConns(0)
	checkPlans(t, s)
	if got := origins(t, s, key("ann")); got != "a b c" {
		t.Errorf("ann has %s", got)
	}
	mustExec(t, s, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"+
		" INSERT INTO sync_rows (id, collection, origin, written, doc) SELECT (c.id >> 32 << 32) + i, c.id, 'app' || i, i, x'00' FROM n, sync_rows c WHERE c.account IS NOT NULL")
	mustExec(t, s, "ANALYZE")
	var kept int
	if err := open(t, dsn).db.QueryRow("SELECT COUNT(*) FROM sqlite_stat1 WHERE tbl = 'sync_rows'").Scan(&kept); err != nil || kept == 0 {
		t.Errorf("%d, %v: what was found out of a larger file is gone", kept, err)
	}
}

func checkPlans(t *testing.T, s *Store) {
	t.Helper()
	s.queries.each(func(q *string) {
		args := make([]any, strings.Count(*q, "?"))
		rows, err := s.db.Query("EXPLAIN QUERY PLAN "+*q, args...)
		if err != nil {
			t.Errorf("%s: %v", *q, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if q == &s.queries.lower && strings.HasPrefix(detail, "USE TEMP B-TREE") {
				continue // the records of one place, hardly ever
			}
			if strings.HasPrefix(detail, "SCAN sync_") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s\n\tneeds %s", *q, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Errorf("%s: %v", *q, err)
		}
	})
}
