package timeout_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// fakeDB is a driver that waits as long as it is told to, on the contexts it is given. It
// has the context interfaces; oldDB has none of the optional ones.
type fakeDB struct {
	wait   time.Duration
	old    bool
	opened int
	closed int
}

func (db *fakeDB) pause(ctx context.Context) error {
	select {
	case <-time.After(db.wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (db *fakeDB) Connect(ctx context.Context) (driver.Conn, error) {
	if err := db.pause(ctx); err != nil {
		return nil, err
	}
	db.opened++
	if db.old {
		return &oldConn{db}, nil
	}
	return &newConn{oldConn{db}}, nil
}

func (db *fakeDB) Driver() driver.Driver { return nil }

type oldConn struct{ db *fakeDB }

func (c *oldConn) Prepare(string) (driver.Stmt, error) { return &oldStmt{c.db}, nil }
func (c *oldConn) Close() error                        { c.db.closed++; return nil }
func (c *oldConn) Begin() (driver.Tx, error)           { return oldTx{}, nil }

type oldTx struct{}

func (oldTx) Commit() error   { return nil }
func (oldTx) Rollback() error { return nil }

type oldStmt struct{ db *fakeDB }

func (s *oldStmt) Close() error                               { return nil }
func (s *oldStmt) NumInput() int                              { return -1 }
func (s *oldStmt) Exec([]driver.Value) (driver.Result, error) { return driver.RowsAffected(1), nil }
func (s *oldStmt) Query(args []driver.Value) (driver.Rows, error) {
	return &fakeRows{ctx: context.Background(), db: s.db, left: 3, value: args[0]}, nil
}

type newConn struct{ oldConn }

func (c *newConn) Ping(ctx context.Context) error { return c.db.pause(ctx) }
func (c *newConn) PrepareContext(ctx context.Context, _ string) (driver.Stmt, error) {
	return &oldStmt{c.db}, c.db.pause(ctx)
}
func (c *newConn) ExecContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), c.db.pause(ctx)
}
func (c *newConn) QueryContext(ctx context.Context, _ string, args []driver.NamedValue) (driver.Rows, error) {
	return &fakeRows{ctx: ctx, db: c.db, left: 3, value: args[0].Value}, nil
}
func (c *newConn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	return &newTx{c.db, ctx}, ctx.Err()
}

type newTx struct {
	db  *fakeDB
	ctx context.Context
}

func (t *newTx) Commit() error   { return t.db.pause(t.ctx) }
func (t *newTx) Rollback() error { return nil }

// fakeRows waits before each row.
type fakeRows struct {
	ctx   context.Context
	db    *fakeDB
	left  int
	value driver.Value
}

func (r *fakeRows) Columns() []string { return []string{"c"} }
func (r *fakeRows) Close() error      { return nil }
func (r *fakeRows) Next(dest []driver.Value) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	dest[0] = r.value
	return r.db.pause(r.ctx)
}

func count(ctx context.Context, db *sql.DB) (int, error) {
	rows, err := db.QueryContext(ctx, "q", "v")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return n, err
		}
		if v != "v" {
			return n, errors.New("wrong value " + v)
		}
		n++
	}
	return n, rows.Err()
}

func TestConnectorPassesThrough(t *testing.T) {
	for _, old := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := backend(t, timeout.BackendConfig{Name: "mysql", Call: time.Second})
			fake := &fakeDB{old: old}
			db := sql.OpenDB(b.Connector(fake))
			ctx := t.Context()
			if err := db.PingContext(ctx); err != nil {
				t.Error(err)
			}
			if _, err := db.ExecContext(ctx, "x", 1, "y"); err != nil {
				t.Error(err)
			}
			if n, err := count(ctx, db); n != 3 || err != nil {
				t.Errorf("%d rows, %v", n, err)
			}
			conn, err := db.Conn(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Raw(func(c any) error {
				switch own := c.(interface{ Raw() driver.Conn }).Raw().(type) {
				case *oldConn, *newConn:
					return nil
				default:
					return fmt.Errorf("Raw leads to a %T, not the driver's own", own)
				}
			}); err != nil {
				t.Error(err)
			}
			conn.Close()
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(ctx, "x"); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second) // a transaction is no call: it may think
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			stmt, err := db.PrepareContext(ctx, "x")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := stmt.ExecContext(ctx); err != nil {
				t.Error(err)
			}
			stmt.Close()
			db.Close()
			if fake.opened != 1 || fake.closed != 1 {
				t.Errorf("opened %d connections, closed %d", fake.opened, fake.closed)
			}
			if s := b.Stats(); s.InFlight != 0 || len(s.Met) != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestConnectorLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Name: "mysql", Dial: 50 * time.Millisecond, Call: 100 * time.Millisecond})
		fake := &fakeDB{}
		db := sql.OpenDB(b.Connector(fake))
		defer db.Close()
		ctx := t.Context()
		check := func(what string, err error, start time.Time, reason timeout.Reason, want time.Duration) {
			t.Helper()
			var e *timeout.Error
			if !errors.As(err, &e) || e.Reason != reason || e.Backend != "mysql" || time.Since(start) != want {
				t.Errorf("%s: got %v after %v, want %s after %v", what, err, time.Since(start), reason, want)
			}
		}
		fake.wait = time.Minute
		start := time.Now()
		_, err := db.ExecContext(ctx, "x")
		check("connect", err, start, timeout.ReasonDial, 50*time.Millisecond)

		fake.wait = 0
		if err := db.PingContext(ctx); err != nil {
			t.Fatal(err)
		}
		fake.wait = time.Minute
		start = time.Now()
		_, err = db.ExecContext(ctx, "x")
		check("exec", err, start, timeout.ReasonDeadline, 100*time.Millisecond)

		// The connection on which that happened is not used again.
		fake.wait = 0
		if _, err := db.ExecContext(ctx, "x"); err != nil || fake.closed != 1 || fake.opened != 2 {
			t.Errorf("got %v, opened %d, closed %d", err, fake.opened, fake.closed)
		}

		// The rows are part of the call.
		fake.wait = 40 * time.Millisecond
		start = time.Now()
		n, err := count(ctx, db)
		check("rows", err, start, timeout.ReasonDeadline, 100*time.Millisecond)
		if n != 2 {
			t.Errorf("got %d rows", n)
		}

		// The budget of the caller, when that is less.
		fake.wait = 0
		if err := db.PingContext(ctx); err != nil {
			t.Fatal(err)
		}
		fake.wait = time.Minute
		short, cancel := timeout.WithBudget(ctx, 30*time.Millisecond)
		defer cancel()
		start = time.Now()
		_, err = db.ExecContext(short, "x")
		check("budget", err, start, timeout.ReasonDeadline, 30*time.Millisecond)

		fake.wait = 0
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		fake.wait = time.Minute
		start = time.Now()
		check("commit", tx.Commit(), start, timeout.ReasonDeadline, 100*time.Millisecond)

		if s := b.Stats(); s.InFlight != 0 || s.Abandoned != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestConnectorRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Name: "mysql", Call: 100 * time.Millisecond, Slots: 1})
		fake := &fakeDB{}
		db := sql.OpenDB(b.Connector(fake))
		defer db.Close()
		rows, err := db.QueryContext(t.Context(), "q", "v")
		if err != nil {
			t.Fatal(err)
		}
		var e *timeout.Error
		if _, err := db.ExecContext(t.Context(), "x"); !errors.As(err, &e) || e.Reason != timeout.ReasonFull {
			t.Errorf("got %v", err)
		}
		rows.Close()
		opened := fake.opened
		if _, err := db.ExecContext(t.Context(), "x"); err != nil || fake.opened != opened {
			t.Errorf("got %v; a refusal must not cost a connection: opened %d, then %d", err, opened, fake.opened)
		}
	})
}
