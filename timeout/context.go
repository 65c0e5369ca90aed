package timeout

import (
	"context"
	"sync"
	"time"
)

// requestContext is the context of the handler. It carries the gate, so that an error of
// the handler finds the response it belongs to through any number of wrapped writers.
//
// The context that ends by itself, a timer and an entry at its parent, is made when it is
// first asked for: a handler that answers from memory never asks. Only package context
// can make one that its children hear from without a goroutine each, so it has a timer of
// its own beside the gate's.
type requestContext struct {
	gate  *gate
	soft  time.Time
	cause error

	mu     sync.Mutex
	ctx    context.Context // nil until it is asked for
	cancel context.CancelFunc
	over   bool // the handler returned
}

type gateKey struct{}

// within is any context of package context that can be cancelled. It knows no values but
// itself, by the key with which that package finds such contexts.
var within = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// made returns the context that ends, and makes it if need be.
func (c *requestContext) made() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		c.make()
	}
	return c.ctx
}

// make makes the context. The mutex is held.
func (c *requestContext) make() {
	parent := c.gate.r.Context()
	if c.over {
		c.ctx, c.cancel = context.WithCancel(parent)
		c.cancel()
		return
	}
	c.ctx, c.cancel = context.WithDeadlineCause(parent, c.soft, c.cause)
}

// end ends the context, as every request's ends when its handler returns.
func (c *requestContext) end() {
	c.mu.Lock()
	c.over = true
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func (c *requestContext) Done() <-chan struct{} { return c.made().Done() }

func (c *requestContext) Deadline() (time.Time, bool) {
	if c.gate.stream != nil {
		return c.gate.stream.Deadline()
	}
	if by, ok := c.gate.r.Context().Deadline(); ok && by.Before(c.soft) {
		return by, true
	}
	return c.soft, true
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		if !c.over && c.gate.r.Context().Err() == nil && time.Now().Before(c.soft) {
			return nil
		}
		c.make() // it has ended, and stays so
	}
	return c.ctx.Err()
}

// Value asks the context that ends for what package context keeps there: the cause, and
// what to cancel with it. All else is the parent's, so that the middleware that looks for
// a trace in every request costs no timer.
func (c *requestContext) Value(key any) any {
	switch {
	case key == gateKey{}:
		return c.gate
	case within.Value(key) != nil:
		return c.made().Value(key)
	default:
		return c.gate.r.Context().Value(key)
	}
}

// A streamContext is a context whose deadline can be moved, which those of package
// context cannot: the response to a streaming handler has another deadline once it has
// begun.
//
// It ends with the context within, and that one ends with the parent or by expire. Its
// channel is a second one so that contexts made from it take their error from its Err.
type streamContext struct {
	context.Context
	cancel context.CancelCauseFunc
	cause  error
	done   chan struct{}
	timer  *time.Timer

	mu       sync.Mutex
	deadline time.Time // zero means none
	late     bool      // it ended by expire
	err      error
}

func withMovableDeadline(parent context.Context, deadline time.Time, cause error) (*streamContext, context.CancelFunc) {
	c := &streamContext{cause: cause, done: make(chan struct{}), deadline: deadline}
	c.Context, c.cancel = context.WithCancelCause(parent)
	context.AfterFunc(c.Context, c.end)
	c.timer = time.AfterFunc(time.Until(deadline), c.expire)
	return c, func() {
		c.timer.Stop()
		c.cancel(nil)
	}
}

// move sets another deadline; zero lifts it.
func (c *streamContext) move(deadline time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = deadline
	if deadline.IsZero() {
		c.timer.Stop()
	} else {
		c.timer.Reset(time.Until(deadline))
	}
}

func (c *streamContext) expire() {
	c.mu.Lock()
	if c.deadline.IsZero() || time.Now().Before(c.deadline) { // moved in the meantime
		c.mu.Unlock()
		return
	}
	c.late = c.Context.Err() == nil
	c.mu.Unlock()
	c.cancel(c.cause)
	c.end()
}

func (c *streamContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = c.Context.Err()
	if c.late {
		c.err = context.DeadlineExceeded
	}
	close(c.done)
}

func (c *streamContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline, !c.deadline.IsZero()
}

func (c *streamContext) Done() <-chan struct{} { return c.done }

func (c *streamContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}
