package timeout

import (
	"context"
	"database/sql/driver"
	"errors"
)

// sqlConn is a driver's connection under a backend's policy. Where the driver lacks an
// optional interface it does what database/sql would have done without it.
type sqlConn struct {
	driver.Conn
	b      *Backend
	broken bool // a limit was met in the middle of something; one user at a time

	// skipped is the call of a statement that the driver wants to be prepared first, as
	// go-sql-driver/mysql does with every one that has arguments. That tells the breaker
	// nothing about the database, so the call goes on when it is prepared, which
	// database/sql does next.
	skipped *call
}

var (
	_ driver.ConnBeginTx        = (*sqlConn)(nil)
	_ driver.ConnPrepareContext = (*sqlConn)(nil)
	_ driver.ExecerContext      = (*sqlConn)(nil)
	_ driver.QueryerContext     = (*sqlConn)(nil)
	_ driver.Pinger             = (*sqlConn)(nil)
	_ driver.SessionResetter    = (*sqlConn)(nil)
	_ driver.Validator          = (*sqlConn)(nil)
	_ driver.NamedValueChecker  = (*sqlConn)(nil)
)

// run makes a call on this connection that has ended when fn returns.
func (c *sqlConn) run(ctx context.Context, fn func(context.Context) error) error {
	call, err := c.admit(ctx)
	if err != nil {
		return c.note(err)
	}
	err = call.try(fn)
	if err == driver.ErrSkip {
		c.skipped = call
		return err
	}
	defer call.release()
	return c.note(call.settle(err))
}

// admit begins a call, or goes on with the one that was skipped.
func (c *sqlConn) admit(ctx context.Context) (*call, error) {
	if s := c.skipped; s != nil && s.from.Done() == ctx.Done() {
		c.skipped = nil
		return s, nil
	}
	c.forget()
	call, err := c.b.admit(ctx)
	if err != nil {
		return nil, err
	}
	call.bound()
	return call, nil
}

// forget ends a call that was skipped and with which nobody goes on.
func (c *sqlConn) forget() {
	if s := c.skipped; s != nil {
		c.skipped = nil
		defer s.release()
		s.settle(context.Canceled)
	}
}

func (c *sqlConn) Close() error {
	c.forget()
	return c.Conn.Close()
}

// note remembers errors after which the connection may be in the middle of something.
func (c *sqlConn) note(err error) error {
	var e *Error
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, context.Canceled) || errors.As(err, &e) && !e.Reason.refusal() {
		c.broken = true
	}
	return err
}

// Raw is for the function that sql.Conn.Raw runs.
func (c *sqlConn) Raw() driver.Conn { return c.Conn }

func (c *sqlConn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !c.broken && (!ok || v.IsValid())
}

func (c *sqlConn) ResetSession(ctx context.Context) error {
	c.forget()
	if c.broken {
		return driver.ErrBadConn
	}
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *sqlConn) Ping(ctx context.Context) error {
	p, ok := c.Conn.(driver.Pinger)
	if !ok {
		return nil
	}
	return c.run(ctx, p.Ping)
}

func (c *sqlConn) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := c.Conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *sqlConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *sqlConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	var stmt driver.Stmt
	err := c.run(ctx, func(ctx context.Context) (err error) {
		if p, ok := c.Conn.(driver.ConnPrepareContext); ok {
			stmt, err = p.PrepareContext(ctx, query)
		} else {
			stmt, err = c.Conn.Prepare(query)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s := &sqlStmt{Stmt: stmt, c: c}
	//lint:ignore SA1019 drivers still have it, and no other
	if converter, ok := stmt.(driver.ColumnConverter); ok {
		return &sqlConverterStmt{s, converter}, nil
	}
	return s, nil
}

func (c *sqlConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	e, ok := c.Conn.(driver.ExecerContext)
	//lint:ignore SA1019 drivers still have it, and no other
	old, isOld := c.Conn.(driver.Execer)
	if !ok && !isOld {
		return nil, driver.ErrSkip // database/sql prepares it
	}
	var result driver.Result
	err := c.run(ctx, func(ctx context.Context) (err error) {
		if ok {
			result, err = e.ExecContext(ctx, query, args)
			return err
		}
		values, err := positional(args)
		if err != nil {
			return err
		}
		result, err = old.Exec(query, values)
		return err
	})
	return result, err
}

func (c *sqlConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	q, ok := c.Conn.(driver.QueryerContext)
	//lint:ignore SA1019 drivers still have it, and no other
	old, isOld := c.Conn.(driver.Queryer)
	if !ok && !isOld {
		return nil, driver.ErrSkip
	}
	return c.query(ctx, func(ctx context.Context) (driver.Rows, error) {
		if ok {
			return q.QueryContext(ctx, query, args)
		}
		values, err := positional(args)
		if err != nil {
			return nil, err
		}
		return old.Query(query, values)
	})
}

// query makes a call that has ended when its rows are closed.
func (c *sqlConn) query(ctx context.Context, fn func(context.Context) (driver.Rows, error)) (driver.Rows, error) {
	call, err := c.admit(ctx)
	if err != nil {
		return nil, err
	}
	var rows driver.Rows
	err = call.try(func(ctx context.Context) (err error) {
		rows, err = fn(ctx)
		return err
	})
	if err == driver.ErrSkip {
		c.skipped = call
		return nil, err
	}
	if err != nil {
		defer call.release()
		return nil, c.note(call.settle(err))
	}
	return &sqlRows{Rows: rows, c: c, call: call}, nil
}

// positional is for methods that know no names of arguments.
func positional(args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errors.New("timeout: the driver does not support named arguments")
		}
		values[i] = arg.Value
	}
	return values, nil
}
