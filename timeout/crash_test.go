package timeout_test

import (
	"context"
	"database/sql/driver"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/brownout-go/brownout/timeout"
)

// What panics for a server to see, as httputil.ReverseProxy does, stays what it is.
func TestAbortInDo(t *testing.T) {
	b := backend(t, timeout.BackendConfig{})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v", v)
		}
	}()
	b.Do(t.Context(), func(context.Context) error { panic(http.ErrAbortHandler) })
}

// panickingDB panics in every method that takes a context, from the nth on.
type panickingDB struct {
	fakeDB
	left int
}

func (db *panickingDB) panic() {
	if db.left--; db.left < 0 {
		panic("driver")
	}
}

func (db *panickingDB) Connect(context.Context) (driver.Conn, error) {
	db.panic()
	return &panickingConn{newConn{oldConn{&db.fakeDB}}, db}, nil
}

type panickingConn struct {
	newConn
	db *panickingDB
}

func (c *panickingConn) Ping(context.Context) error { c.db.panic(); return nil }
func (c *panickingConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	c.db.panic()
	return nil, nil
}
func (c *panickingConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	c.db.panic()
	return nil, nil
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// net/http keeps a server running whose handlers panic, so a panic must not take a slot
// with it, nor leave the breaker waiting for an outcome.
func TestPanicsGiveTheirSlotsBack(t *testing.T) {
	var breaker func() (func(error), error)
	ctx := t.Context()
	bare := func(b *timeout.Backend, left int) driver.Conn {
		conn, err := b.Connector(&panickingDB{left: left}).Connect(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	for name, call := range map[string]func(b *timeout.Backend){
		"Transport": func(b *timeout.Backend) {
			r := httptest.NewRequest("GET", "/", nil)
			b.Transport(roundTripperFunc(func(*http.Request) (*http.Response, error) { panic("transport") })).RoundTrip(r)
		},
		"breaker": func(b *timeout.Backend) {
			breaker = func() (func(error), error) { panic("breaker") }
			b.Do(ctx, func(context.Context) error { return nil })
		},
		"breaker told": func(b *timeout.Backend) {
			breaker = func() (func(error), error) { return func(error) { panic("breaker") }, nil }
			r := httptest.NewRequest("GET", "/", nil)
			b.Transport(roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, io.EOF })).RoundTrip(r)
		},
		"connect": func(b *timeout.Backend) { bare(b, 0) },
		"ping":    func(b *timeout.Backend) { bare(b, 1).(driver.Pinger).Ping(ctx) },
		"query":   func(b *timeout.Backend) { bare(b, 1).(driver.QueryerContext).QueryContext(ctx, "q", nil) },
		"begin":   func(b *timeout.Backend) { bare(b, 1).(driver.ConnBeginTx).BeginTx(ctx, driver.TxOptions{}) },
	} {
		t.Run(name, func(t *testing.T) {
			open := 0
			breaker = func() (func(error), error) {
				open++
				return func(error) { open-- }, nil
			}
			b := backend(t, timeout.BackendConfig{
				Slots: 1, Breaker: breakerFunc(func() (func(error), error) { return breaker() }),
			})
			func() {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				call(b)
			}()
			if s := b.Stats(); s.InFlight != 0 || open != 0 {
				t.Errorf("%+v, the breaker waits for %d", s, open)
			}
			breaker = func() (func(error), error) { return func(error) {}, nil }
			if err := b.Do(ctx, func(context.Context) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
}
