package timeout

import (
	"context"
	"database/sql/driver"
	"io"
)

// Connector returns a driver.Connector for sql.OpenDB whose connections are limited by
// the backend. Connecting is a call of at most BackendConfig.Dial. Each statement, and
// each begin, prepare and ping, is a call of at most BackendConfig.Call, its slot taken
// until it returns, and for a query until its rows are closed. Where the driver has
// database/sql prepare a statement first (go-sql-driver/mysql, if it has arguments), that
// and the statement are a call each. A transaction is not a call, its statements are; its
// commit or rollback is never refused, only limited in time. A goroutine that runs a
// statement while it reads the rows of another takes two slots.
//
// The optional interfaces of the driver are kept, also its own converters of arguments. A
// connection on which a limit was met is not used again.
//
// Difference from next: the function that sql.Conn.Raw runs gets a connection of another
// type, which has a method Raw() driver.Conn for the driver's own. What is done with that
// one has no limits.
//
// The driver must honour the contexts of its methods, as those for PostgreSQL, MySQL and
// SQLite do. What a driver does without a context is not interrupted: with
// go-sql-driver/mysql that is commit and rollback, which [Backend.DialContext] limits.
func (b *Backend) Connector(next driver.Connector) driver.Connector {
	return &connector{b, next}
}

type connector struct {
	b    *Backend
	next driver.Connector
}

func (c *connector) Driver() driver.Driver { return c.next.Driver() }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	call, err := c.b.admit(ctx)
	if err != nil {
		return nil, err
	}
	call.reason, call.limit = ReasonDial, c.b.afford(ctx, c.b.config.Dial)
	call.bound()
	var conn driver.Conn
	err = call.try(func(ctx context.Context) (err error) {
		conn, err = c.next.Connect(ctx)
		return err
	})
	defer call.release()
	if err := call.settle(err); err != nil {
		return nil, err
	}
	return &sqlConn{b: c.b, Conn: conn}, nil
}

// Close closes next, if it can be closed.
func (c *connector) Close() error {
	if closer, ok := c.next.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}
