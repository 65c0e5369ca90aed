package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

func postgresDSN(s *testserver.Server) string {
	return "postgres://postgres@" + s.Addr + "/postgres?sslmode=disable"
}

func mariadbDSN(s *testserver.Server) string { return "mysql://root@" + s.Addr + "/test" }

// awake waits until a PostgreSQL that has opened its port takes queries too.
func awake(t *testing.T, dsn string) {
	t.Helper()
	connector, _, err := Connector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for {
		c, err := connector.Connect(t.Context())
		var starting *pgconn.PgError
		switch {
		case err == nil:
			c.Close()
			return
		case errors.As(err, &starting) && starting.Code == "57P03": // cannot_connect_now
			sleep(t.Context(), 5*time.Millisecond)
		default:
			t.Fatal(err)
		}
	}
}

// empty returns a function that opens the store and empties its tables, so
// that a suite needs one server and not one for each case.
func empty(dsn string) func(*testing.T) *Store {
	return func(t *testing.T) *Store {
		s := open(t, dsn)
		for _, table := range []string{"accounts", "collections", "records", "writes"} {
			if _, err := s.db.Exec("DELETE FROM sync_" + table); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
}

func testServer(t *testing.T, db *testserver.Server, dsn string) {
	fresh := empty(dsn)
	openAtOnce(t, dsn)
	t.Run("one", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) syncproto.Store { return fresh(t) })
	})
	t.Run("two", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) syncproto.Store {
			return &pair{stores: [2]*Store{fresh(t), open(t, dsn)}}
		})
	})
	t.Run("restart", func(t *testing.T) { testRestart(t, func(t *testing.T) string { fresh(t); return dsn }) })
	t.Run("frozen", func(t *testing.T) { testFrozen(t, db, fresh(t)) })
	t.Run("large", func(t *testing.T) { testLarge(t, fresh(t)) })
	t.Run("broken", func(t *testing.T) { testBroken(t, dsn) })
	t.Run("quota", func(t *testing.T) {
		testQuota(t, &pair{stores: [2]*Store{fresh(t), open(t, dsn)}})
	})
}

func TestPostgres(t *testing.T) {
	db := testserver.Postgres(t)
	awake(t, postgresDSN(db))
	testServer(t, db, postgresDSN(db))
	t.Run("deadlock", func(t *testing.T) { testDeadlock(t, postgresDSN(db)) })
}

func TestMariaDB(t *testing.T) {
	db := testserver.MariaDB(t)
	testServer(t, db, mariadbDSN(db))
}

func TestSQLiteQuota(t *testing.T) {
	dsn := file(t)
	testQuota(t, &pair{stores: [2]*Store{open(t, dsn), open(t, dsn)}})
}

// testQuota: writes to different collections of one user, on two servers at
// once, must not slip past a quota that is about all of them.
func testQuota(t *testing.T, s *pair) {
	const n, doc = 12, `{"n":1234}`
	for _, q := range []syncproto.Quota{{Collections: 3}, {Bytes: 3 * int64(len(doc))}} {
		user := fmt.Sprint("quota", q.Collections)
		errs := make(chan error, n)
		for i := range n {
			go func() {
				_, err := s.Write(t.Context(), syncproto.Key{User: user, Collection: fmt.Sprint("c", i)},
					syncproto.Write{Apps: []syncproto.App{app("a", doc)}, Quota: q})
				errs <- err
			}()
		}
		written := 0
		for range n {
			if err := <-errs; err == nil {
				written++
			}
		}
		all, err := s.Collections(t.Context(), user)
		if err != nil || written != 3 || len(all) != 3 {
			t.Errorf("%+v: %d writes went through, %d collections are there, %v; want 3", q, written, len(all), err)
		}
	}
}

// testLarge: as many large documents as an import may bring fit, whatever the
// server accepts in one statement.
func testLarge(t *testing.T, s *Store) {
	const n = 30
	ch := syncproto.Change{State: syncproto.State{UUID: "u", Last: 100}}
	for i := range n {
		doc := fmt.Sprintf(`{"n":%d,"icon":"%s"}`, i, strings.Repeat("x", 1<<20))
		ch.Records = append(ch.Records, syncproto.Record{Time: 100, App: app(fmt.Sprint("app", i), doc)})
	}
	if err := s.Apply(t.Context(), apps, ch); err != nil {
		t.Fatal(err)
	}
	seen := 0
	_, err := s.Read(t.Context(), apps, 0, 0, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
		seen++
		if len(r.Doc) < 1<<20 {
			t.Errorf("%s came back with %d bytes", r.Origin, len(r.Doc))
		}
		return nil
	})
	if err != nil || seen != n {
		t.Errorf("%d of %d documents, %v", seen, n, err)
	}
}

// testFrozen: a database that stops answering, without closing anything, holds
// nobody longer than their context says, and is used again once it is back.
func testFrozen(t *testing.T, db *testserver.Server, s *Store) {
	w := syncproto.Write{Apps: []syncproto.App{app("a", `{}`)}}
	if _, err := s.Write(t.Context(), apps, w); err != nil {
		t.Fatal(err)
	}
	thaw := freeze(t, db, s)
	for name, call := range map[string]func(context.Context) error{
		"State": func(ctx context.Context) error { _, err := s.State(ctx, apps); return err },
		"Write": func(ctx context.Context) error { _, err := s.Write(ctx, apps, w); return err },
		"Ping":  s.Ping,
		"Read": func(ctx context.Context) error {
			_, err := s.Read(ctx, apps, 0, 0, func(syncproto.State) error { return nil }, func(syncproto.Record) error { return nil })
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s while the database is frozen: %v, want the deadline's error", name, err)
		}
		cancel()
	}
	thaw()
	if _, err := s.Write(t.Context(), apps, w); err != nil {
		t.Errorf("Write once the database is back: %v", err)
	}
}

// freeze stops the database. PostgreSQL is a process for each connection, which
// have to be stopped one by one.
func freeze(t *testing.T, db *testserver.Server, s *Store) (thaw func()) {
	t.Helper()
	var pids []int
	if s.dialect.Dialect == PostgreSQL {
		err := s.rows(t.Context(), "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'", nil, func(rows *sql.Rows) error {
			var pid int
			err := rows.Scan(&pid)
			pids = append(pids, pid)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	signal := func(sig syscall.Signal) {
		for _, pid := range pids {
			_ = syscall.Kill(pid, sig) // some have ended
		}
	}
	db.Freeze()
	signal(syscall.SIGSTOP)
	return func() {
		db.Thaw()
		signal(syscall.SIGCONT)
	}
}

// testDeadlock: a write that PostgreSQL ends to break a deadlock is repeated,
// and goes through.
func testDeadlock(t *testing.T, dsn string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Whoever has waited that long looks for a deadlock, and is the one to end:
	// the store, unless this machine is very slow.
	s, other := open(t, dsn+"&deadlock_timeout=100ms"), open(t, dsn+"&deadlock_timeout=2s")
	key := syncproto.Key{User: "deadlock@example.com", Collection: "apps"}
	if _, err := s.Write(ctx, key, syncproto.Write{Apps: []syncproto.App{app("a", `{}`)}}); err != nil {
		t.Fatal(err)
	}
	for !deadlock(ctx, t, s, other.db, key) {
		t.Log("the other transaction was ended: once more")
	}
}

// deadlock has a write of s and a transaction in db wait for each other. It
// reports whether the write was the one that had to begin again.
func deadlock(ctx context.Context, t *testing.T, s *Store, db *sql.DB, key syncproto.Key) bool {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "UPDATE sync_records SET doc = doc WHERE account = $1", key.User); err != nil {
		t.Fatal(err)
	}
	written := make(chan error)
	go func() { // has the account, wants the record
		_, err := s.Write(ctx, key, syncproto.Write{Apps: []syncproto.App{app("a", `{"n":1}`)}})
		written <- err
	}()
	for waiting := 0; waiting == 0; sleep(ctx, time.Millisecond) {
		err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	// Has the record, wants the account.
	_, err = tx.ExecContext(ctx, "SELECT FROM sync_accounts WHERE account = $1 FOR UPDATE", key.User)
	tx.Rollback()
	if err := <-written; err != nil {
		t.Errorf("Write after a deadlock: %v", err)
	}
	var ended *pgconn.PgError
	if err != nil && (!errors.As(err, &ended) || ended.Code != "40P01") {
		t.Fatal(err)
	}
	return err == nil
}
