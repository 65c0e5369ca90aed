package timeout_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// skippingDB is like go-sql-driver/mysql: it wants statements with arguments to be
// prepared, and says so before it asks the database.
type skippingDB struct{ fakeDB }

func (db *skippingDB) Connect(context.Context) (driver.Conn, error) {
	return &skippingConn{newConn{oldConn{&db.fakeDB}}}, nil
}

type skippingConn struct{ newConn }

func (c *skippingConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, driver.ErrSkip
}
func (c *skippingConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return nil, driver.ErrSkip
}

// A breaker hears of what was asked of the database, and of nothing else: it would count
// a statement that has to be prepared first as one that failed, and if it is half open,
// open again for ever.
func TestStatementsThatAreSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked int
		var told []error
		b := backend(t, timeout.BackendConfig{Name: "mysql", Call: 100 * time.Millisecond, Slots: 1, Breaker: breakerFunc(func() (func(error), error) {
			asked++
			return func(err error) { told = append(told, err) }, nil
		})})
		fake := &skippingDB{}
		db := sql.OpenDB(b.Connector(fake))
		ctx := t.Context()
		if _, err := db.ExecContext(ctx, "x", 1); err != nil {
			t.Error(err)
		}
		if n, err := count(ctx, db); n != 3 || err != nil {
			t.Errorf("%d rows, %v", n, err)
		}
		for _, err := range told {
			if err != nil {
				t.Errorf("the breaker was told %v", err)
			}
		}
		if asked != 5 || len(told) != 5 { // connect, and twice prepare and do
			t.Errorf("the breaker was asked %d times and told %d times", asked, len(told))
		}
		fake.wait = time.Minute
		start := time.Now()
		_, err := db.ExecContext(ctx, "x", 1)
		var e *timeout.Error
		if !errors.As(err, &e) || e.Reason != timeout.ReasonDeadline || time.Since(start) != 100*time.Millisecond {
			t.Errorf("prepare: got %v after %v", err, time.Since(start))
		}
		fake.wait = 0

		// With Conn.Raw nobody needs to go on.
		conn, err := db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Raw(func(c any) error {
			other, cancel := context.WithCancel(ctx)
			defer cancel()
			if _, err := c.(driver.ExecerContext).ExecContext(other, "x", nil); err != driver.ErrSkip {
				t.Errorf("got %v", err)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		told = nil
		if err := conn.PingContext(ctx); err != nil {
			t.Error(err)
		}
		if len(told) != 2 || told[0] != context.Canceled || told[1] != nil {
			t.Errorf("the breaker was told %v", told)
		}
		conn.Close()
		db.Close()
		if s := b.Stats(); s.InFlight != 0 || asked != int(s.Calls) {
			t.Errorf("%+v, the breaker was asked %d times", s, asked)
		}
	})
}

// stubbornDB reports the end of a context as drivers do that close their connections then.
type stubbornDB struct {
	fakeDB
	execs int
}

func (db *stubbornDB) Connect(context.Context) (driver.Conn, error) {
	return &stubbornConn{newConn{oldConn{&db.fakeDB}}, db}, nil
}

type stubbornConn struct {
	newConn
	db *stubbornDB
}

func (c *stubbornConn) ExecContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
	c.db.execs++
	<-ctx.Done()
	return nil, driver.ErrBadConn
}

// A statement whose time is up is not made again: that would take three times the limit,
// and do three times what it does.
func TestLimitIsNoReasonToTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Name: "mysql", Call: 100 * time.Millisecond})
		fake := &stubbornDB{}
		db := sql.OpenDB(b.Connector(fake))
		defer db.Close()
		start := time.Now()
		_, err := db.ExecContext(t.Context(), "x")
		var e *timeout.Error
		if !errors.As(err, &e) || time.Since(start) != 100*time.Millisecond || fake.execs != 1 {
			t.Errorf("got %v after %v and %d times", err, time.Since(start), fake.execs)
		}
	})
}
