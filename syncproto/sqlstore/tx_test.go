package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// TestStatementFails: a transaction that fails as it begins or ends, though the
// database may have done what it was asked to, must not stay in a connection that
// goes back to the pool. The driver between is such as a time limit is.
func TestStatementFails(t *testing.T) {
	for _, statement := range []string{"BEGIN IMMEDIATE", "ROLLBACK", "COMMIT"} {
		t.Run(statement, func(t *testing.T) {
			inner, dialect, err := Connector(file(t))
			if err != nil {
				t.Fatal(err)
			}
			c := &failing{Connector: inner}
			db := sql.OpenDB(c)
			defer db.Close()
			db.SetMaxOpenConns(1)
			s, err := New(t.Context(), db, dialect)
			if err != nil {
				t.Fatal(err)
			}
			first, err := s.Write(t.Context(), apps, syncproto.Write{Apps: []syncproto.App{app("a", `{"n":1}`)}})
			if err != nil {
				t.Fatal(err)
			}

			c.statement = statement
			second := syncproto.Write{Apps: []syncproto.App{app("a", `{"n":2}`)}}
			if statement == "ROLLBACK" { // a transaction that is given up
				second.IfUnmodifiedSince = new(syncproto.Time)
				s.group = nil
			}
			if _, err = s.Write(t.Context(), apps, second); err == nil {
				t.Fatalf("a write whose %s failed was acknowledged", statement)
			}
			if c.statement != "" {
				t.Fatalf("%s was never executed", statement)
			}
			res, err := s.Write(t.Context(), apps, syncproto.Write{Apps: []syncproto.App{app("b", `{}`)}})
			if err != nil || res.Time <= first.Time {
				t.Errorf("the next write: %+v, %v", res, err)
			}
			if statement == "COMMIT" {
				return // which had been carried out
			}
			if res.Previous != first.Time {
				t.Errorf("previous write at %v, want %v: what failed is there", res.Previous, first.Time)
			}
		})
	}
}

// failing fails one statement: a ROLLBACK before it is carried out, any other after,
// unless something is to be done instead.
type failing struct {
	driver.Connector
	statement string
	instead   func(driver.ExecerContext) error
}

func (c *failing) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	return &failingConn{conn, c}, err
}

type failingConn struct {
	driver.Conn
	c *failing
}

func (c *failingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	failed := query == c.c.statement
	if failed {
		c.c.statement = ""
		if query == "ROLLBACK" {
			return nil, errors.New("too late")
		}
		if c.c.instead != nil {
			return nil, c.c.instead(c.Conn.(driver.ExecerContext))
		}
	}
	res, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
	if failed && err == nil {
		return nil, errors.New("too late")
	}
	return res, err
}

func (c *failingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}
