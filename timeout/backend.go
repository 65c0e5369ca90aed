package timeout

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Defaults of [BackendConfig].
const (
	// DefaultCall is the limit of a call when BackendConfig.Call is zero.
	DefaultCall = time.Second

	// DefaultSlots is the number of calls at once when BackendConfig.Slots is zero.
	DefaultSlots = 100
)

// A BackendConfig is the policy for one backend. Only Name is required.
type BackendConfig struct {
	// Name identifies the backend in errors, events and metrics. It must not be empty.
	Name string

	// Dial is how long connecting may take. Zero means as long as Call.
	Dial time.Duration

	// Call is how long a call may take: for Do the whole function, for Transport until
	// the response headers, for Connector a statement with all its rows, for Conn from a
	// write to the first byte of the answer. Zero means DefaultCall.
	Call time.Duration

	// Idle is how long the backend may be silent in the middle of an answer. Zero means
	// as long as Call for the body of an HTTP response, and no limit for a Conn, on which
	// silence between two exchanges is normal.
	Idle time.Duration

	// Reserve is how much of the request's budget a call must leave: for the backends
	// that are still to be called, and for writing the answer. It may be zero.
	Reserve time.Duration

	// Margin, if it is positive, makes Transport tell the backend how long it has, in a
	// header named [BudgetHeader]: the limit of the call less Margin, which is for the
	// way back.
	Margin time.Duration

	// Least is the shortest time in which a call can be expected to succeed, say its
	// median. A call that would get less is refused. Zero refuses only calls for which no
	// time is left at all.
	Least time.Duration

	// Slots is how many calls may be under way at once, abandoned ones included. Zero
	// means DefaultSlots. By Little's law rate times acceptable latency is enough.
	Slots int

	// Queue is how many more calls may wait for a slot, first come first served. Zero,
	// the default, refuses at once: waiting for a slow backend is how requests pile up.
	Queue int

	// QueueWait is how long they may wait. Zero means a fifth of Call.
	QueueWait time.Duration

	// Breaker is asked before each call that has a slot. Nil means none.
	Breaker Breaker

	// RetryAfter is the Error.RetryAfter of this backend's errors. Zero leaves it to
	// Config.RetryAfter, negative asks for no header.
	RetryAfter time.Duration

	// OnEvent is told about calls that met a limit. It is called synchronously, possibly
	// from several goroutines, and must not block. A panic in it is a line in the standard
	// log. Nil means silent.
	OnEvent func(Event)
}

// A Breaker stops calls to a backend that keeps failing. A *TwoStepCircuitBreaker of
// github.com/sony/gobreaker/v2 is one, and so is whatever has this method.
//
// Allow returns an error to refuse a call; otherwise done is called once with its outcome
// as the caller saw it: nil, an [*Error], what the backend reported, an error if the call
// panicked, or context.Canceled when the caller gave up, which says nothing about the backend and should not be counted
// (IsExcluded in gobreaker.Settings).
type Breaker interface {
	Allow() (done func(err error), err error)
}

// A Backend holds the calls to one backend to a policy. Make one with [NewBackend] and
// share it between everything that calls that backend.
type Backend struct {
	config BackendConfig // defaults filled in
	slots  *bulkhead

	inFlight  gauge
	abandoned atomic.Int64
	calls     atomic.Uint64
	met       [len(reasons)]atomic.Uint64
}

// NewBackend returns a Backend, or an error that says which field of the config is wrong.
func NewBackend(c BackendConfig) (*Backend, error) {
	if c.Name == "" {
		return nil, errors.New("timeout: BackendConfig.Name is empty; errors and metrics need it")
	}
	for _, f := range []struct {
		name  string
		value time.Duration
	}{{"Dial", c.Dial}, {"Call", c.Call}, {"Idle", c.Idle}, {"Reserve", c.Reserve}, {"Margin", c.Margin}, {"Least", c.Least}, {"QueueWait", c.QueueWait}} {
		if f.value < 0 {
			return nil, fmt.Errorf("timeout: BackendConfig.%s of %s is %v; it must not be negative", f.name, c.Name, f.value)
		}
	}
	if c.Slots < 0 {
		return nil, fmt.Errorf("timeout: BackendConfig.Slots of %s is %d; it must not be negative (0 means %d)", c.Name, c.Slots, DefaultSlots)
	}
	if c.Queue < 0 {
		return nil, fmt.Errorf("timeout: BackendConfig.Queue of %s is %d; it must not be negative (0 means no queue)", c.Name, c.Queue)
	}
	if c.Call == 0 {
		c.Call = DefaultCall
	}
	if c.Least > c.Call {
		return nil, fmt.Errorf("timeout: BackendConfig.Least of %s is %v; with Call %v every call would be refused", c.Name, c.Least, c.Call)
	}
	if c.Dial == 0 {
		c.Dial = c.Call
	}
	if c.Slots == 0 {
		c.Slots = DefaultSlots
	}
	if c.QueueWait == 0 {
		c.QueueWait = c.Call / 5
	}
	return &Backend{config: c, slots: newBulkhead(c.Slots, c.Queue)}, nil
}

// Wait waits until no call is under way, abandoned ones included, and returns nil, or the
// error of ctx if that ends first. It is for shutting down, when no new calls come.
func (b *Backend) Wait(ctx context.Context) error { return b.inFlight.wait(ctx) }

// BackendStats are counts of a [Backend].
type BackendStats struct {
	InFlight  int64             // calls that hold a slot now, abandoned ones included
	Queued    int64             // calls waiting for a slot now
	Abandoned int64             // calls that go on although their callers were answered
	Calls     uint64            // calls that got a slot
	Met       map[Reason]uint64 // calls that met a limit, by reason; reasons that were never met are absent
}

// Stats returns the counts as they are now. It may be called at any time.
func (b *Backend) Stats() BackendStats {
	s := BackendStats{
		InFlight:  b.inFlight.load(),
		Queued:    b.slots.queued.Load(),
		Abandoned: b.abandoned.Load(),
		Calls:     b.calls.Load(),
		Met:       make(map[Reason]uint64),
	}
	for i, reason := range reasons {
		if n := b.met[i].Load(); n > 0 {
			s.Met[reason] = n
		}
	}
	return s
}

func (b *Backend) fail(reason Reason, limit, elapsed time.Duration, cause error) *Error {
	return &Error{
		Backend: b.config.Name, Reason: reason, Limit: limit, Elapsed: elapsed,
		RetryAfter: b.config.RetryAfter, Err: cause,
	}
}

// meet counts and reports a limit that was met, once for each call.
func (b *Backend) meet(e *Error) error {
	b.met[e.Reason.index()].Add(1)
	kind := KindTimeout
	if e.Reason.refusal() {
		kind = KindRefused
	}
	b.emit(Event{Kind: kind, Backend: e.Backend, Reason: e.Reason, Limit: e.Limit, Elapsed: e.Elapsed, Err: e})
	return e
}

func (b *Backend) emit(e Event) { e.tell(b.config.OnEvent) }

// afford returns how long something that may take limit can take on ctx's budget.
func (b *Backend) afford(ctx context.Context, limit time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)-b.config.Reserve)
	}
	return limit
}
