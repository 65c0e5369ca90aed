package timeout

import (
	"context"
	"log"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Do calls fn and returns what it returns, unless a limit is met first: then it returns
// an [*Error] without waiting for fn. The slot of the call stays taken, and the call
// counts as abandoned, until fn does return, so that no more than BackendConfig.Slots are
// ever stuck. If ctx is cancelled, Do returns context.Canceled at once, in the same way.
//
// The context that fn gets ends at the limit; a client that takes a context should get
// that one. After an error fn may still be running, so it must not write to variables of
// its caller: use [Call] to get a value out of it.
//
// fn runs on a goroutine of its own. If it panics, the panic is raised again in the
// caller with the first stack in its text, or as it is if it is [http.ErrAbortHandler]; if
// the caller has left by then it is an event of [KindPanic], or a line in the standard log
// when there is no OnEvent.
func (b *Backend) Do(ctx context.Context, fn func(context.Context) error) error {
	_, err := Call(ctx, b, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
	return err
}

// What has become of a call: its caller and its function each try to be the first to leave.
const (
	running int32 = iota
	ended
	abandoned
)

// Call is [Backend.Do] for a function with a result. A result that comes too late is dropped.
func Call[T any](ctx context.Context, b *Backend, fn func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
		crash *crash
	}
	c, err := b.admit(ctx)
	if err != nil {
		var none T
		return none, err
	}
	c.bound()
	var state atomic.Int32
	results := make(chan result, 1)
	go func() {
		var r result
		returned := false
		defer func() {
			if !returned { // a panic, or runtime.Goexit
				r.crash = &crash{recover(), debug.Stack()}
			}
			late := !state.CompareAndSwap(running, ended)
			if late {
				c.late(r.crash)
			}
			// The slot is free before the caller goes on: it may call again at once.
			c.release()
			results <- r
		}()
		r.value, r.err = fn(c.ctx)
		returned = true
	}()

	var r result
	select {
	case r = <-results:
	case <-c.ctx.Done():
		if state.CompareAndSwap(running, abandoned) {
			var none T
			b.abandoned.Add(1)
			b.emit(Event{Kind: KindAbandoned, Backend: b.config.Name, Limit: c.limit, Elapsed: time.Since(c.start)})
			return none, c.settle(c.ctx.Err())
		}
		r = <-results
	}
	if r.crash != nil {
		c.settle(r.crash)
		r.crash.again()
	}
	return r.value, c.settle(r.err)
}

// late keeps the books when an abandoned function has returned.
func (c *call) late(crash *crash) {
	b := c.b
	e := Event{Kind: KindReturned, Backend: b.config.Name, Limit: c.limit, Elapsed: time.Since(c.start)}
	b.abandoned.Add(-1)
	if crash != nil && crash.value != nil {
		if b.config.OnEvent == nil {
			log.Printf("timeout: panic in an abandoned call to %s: %v\n%s", b.config.Name, crash.value, crash.stack)
		}
		e.Kind, e.Panic, e.Stack = KindPanic, crash.value, crash.stack
	}
	b.emit(e)
}
