package timeout

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"
)

// A call is one admitted call to a backend: a slot, a breaker's permission and a limit.
type call struct {
	b      *Backend
	from   context.Context // the caller's
	ctx    context.Context
	cancel context.CancelFunc // nil unless bound
	start  time.Time
	limit  time.Duration
	reason Reason      // of a limit that is met
	tell   func(error) // the breaker's, or nil
}

// admit waits for a slot, asks the breaker and begins the call. Without an error, the
// caller must call settle once for the outcome and release once when the call has really
// ended.
func (b *Backend) admit(ctx context.Context) (*call, error) {
	if err := ctx.Err(); errors.Is(err, context.Canceled) {
		return nil, err
	}
	start := time.Now()
	if err := b.budget(ctx, start); err != nil {
		return nil, err
	}
	wait := b.afford(ctx, b.config.QueueWait)
	if why, ok := b.slots.take(ctx, wait); !ok {
		if why == "" {
			return nil, ctx.Err()
		}
		if why == ReasonFull {
			wait = 0
		}
		return nil, b.meet(b.fail(why, wait, time.Since(start), nil))
	}
	admitted := false
	defer func() { // also if the breaker panics
		if !admitted {
			b.slots.free()
		}
	}()
	c := &call{b: b, from: ctx, ctx: ctx, start: time.Now(), reason: ReasonDeadline}
	if err := b.budget(ctx, start); err != nil { // the queue may have used it up
		return nil, err
	}
	if b.config.Breaker != nil {
		tell, err := b.config.Breaker.Allow()
		if err != nil {
			return nil, b.meet(b.fail(ReasonOpen, 0, time.Since(start), err))
		}
		c.tell = tell
	}
	admitted = true
	b.calls.Add(1)
	b.inFlight.add(1)
	c.limit = b.afford(ctx, b.config.Call)
	return c, nil
}

// budget refuses a call that would not get the time it needs.
func (b *Backend) budget(ctx context.Context, start time.Time) error {
	if left := b.afford(ctx, b.config.Call); left <= 0 || left < b.config.Least {
		return b.meet(b.fail(ReasonBudget, left, time.Since(start), nil))
	}
	return nil
}

// bound gives the call a context of its own, which ends at its limit.
func (c *call) bound() {
	c.ctx, c.cancel = context.WithTimeoutCause(c.ctx, c.limit, c.b.fail(c.reason, c.limit, c.limit, nil))
}

// errPanicked is what the breaker is told of a call that did not return.
var errPanicked = errors.New("timeout: the call panicked")

// try runs the part of the call that is not ours. If that panics, the call has ended.
func (c *call) try(fn func(context.Context) error) error {
	returned := false
	defer func() {
		if !returned {
			defer c.release()
			c.settle(errPanicked)
		}
	}()
	err := fn(c.ctx)
	returned = true
	return err
}

// settle returns the outcome of the call as its caller sees it, tells the breaker, and
// ends the context of the call.
func (c *call) settle(err error) error {
	if c.cancel != nil {
		defer c.cancel()
	}
	var e *Error
	if err != nil && c.over(err) && (!errors.As(err, &e) || e.Backend != c.b.config.Name) { // else it is counted
		limit := c.limit
		if deadline, ok := c.ctx.Deadline(); ok && c.cancel == nil { // it was the caller's
			limit = deadline.Sub(c.start)
		}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) {
			err = nil // the one says no more than the new error does; for the other, database/sql would try again
		}
		err = c.b.meet(c.b.fail(c.reason, limit, time.Since(c.start), err))
	}
	if c.tell != nil {
		c.tell(err)
	}
	return err
}

// over reports whether the call's time is up. A client that sets deadlines of its own
// from a context may notice a moment before the context does.
func (c *call) over(err error) bool {
	if c.ctx.Err() != nil {
		return errors.Is(c.ctx.Err(), context.DeadlineExceeded)
	}
	deadline, ok := c.ctx.Deadline()
	var timeout interface{ Timeout() bool }
	return ok && !time.Now().Before(deadline) && errors.As(err, &timeout) && timeout.Timeout()
}

// release gives the slot back.
func (c *call) release() {
	c.b.slots.free()
	c.b.inFlight.add(-1)
}
