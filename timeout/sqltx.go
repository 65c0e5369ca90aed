package timeout

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"
)

// sqlTx is a transaction under a backend's policy. Drivers may keep the context of its
// begin for its commit, so that one context serves both, and a timer ends it when either
// takes too long.
type sqlTx struct {
	driver.Tx
	c      *sqlConn
	cancel context.CancelCauseFunc
}

func (c *sqlConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	call, err := c.b.admit(ctx)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancelCause(ctx)
	x := &exchange{call: call, cancel: func(cause error) {
		if cause != nil {
			cancel(cause)
		}
	}}
	x.timer = time.AfterFunc(call.limit, func() { x.expire(ReasonDeadline, call.limit) })
	returned := false
	defer func() {
		if !returned {
			x.end(errPanicked)
		}
	}()
	tx, err := c.begin(life, opts)
	returned = true
	if err := c.note(x.end(err)); err != nil {
		cancel(nil)
		return nil, err
	}
	return &sqlTx{tx, c, cancel}, nil
}

// begin does as database/sql does with a driver of any age.
func (c *sqlConn) begin(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.Conn.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("timeout: the driver supports the default isolation level only")
	}
	if opts.ReadOnly {
		return nil, errors.New("timeout: the driver does not support read-only transactions")
	}
	//lint:ignore SA1019 drivers still have it, and no other
	return c.Conn.Begin()
}

func (t *sqlTx) Commit() error   { return t.end(t.Tx.Commit) }
func (t *sqlTx) Rollback() error { return t.end(t.Tx.Rollback) }

func (t *sqlTx) end(fn func() error) error {
	b, start := t.c.b, time.Now()
	defer t.cancel(nil)
	limit := b.config.Call
	timer := time.AfterFunc(limit, func() { t.cancel(b.fail(ReasonDeadline, limit, limit, nil)) })
	defer timer.Stop()
	err := fn()
	if elapsed := time.Since(start); err != nil && elapsed >= limit {
		err = b.meet(b.fail(ReasonDeadline, limit, elapsed, err))
	}
	return t.c.note(err)
}
