package backoff

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Hold is what a [Transport] knows of a service that asked it to wait.
type Hold struct {
	// Origin is whom it concerns: what [Transport].Key made of a request.
	Origin string

	// NotBefore is when requests may be sent again.
	NotBefore time.Time

	// Soft holds concern only requests that can wait: see [Deferrable].
	Soft bool
}

// A WaitError says that a request was not sent because its service asked for a
// pause. It unwraps to Err.
type WaitError struct {
	// Hold is what keeps the request from being sent.
	Hold

	// Err is why the transport did not wait: context.DeadlineExceeded if the
	// request's deadline is before NotBefore, context.Canceled if it was given
	// up while it waited, [ErrHeld] if the transport is not to wait at all or
	// not as long.
	Err error
}

func (e *WaitError) Error() string {
	return fmt.Sprintf("backoff: %s asks for no requests before %s: %v", e.Origin, e.NotBefore.Format(time.RFC3339), e.Err)
}

func (e *WaitError) Unwrap() error { return e.Err }

// Timeout makes a WaitError about a deadline a timeout to package net.
func (e *WaitError) Timeout() bool { return errors.Is(e.Err, context.DeadlineExceeded) }

type deferrableKey struct{}

// Deferrable marks the requests that are made with the context as ones that
// can wait: polls, prefetches, uploads of statistics. A [Transport] keeps them
// back while a service that still serves asks clients to ease off; other
// requests it keeps back only while the service refuses to serve.
func Deferrable(ctx context.Context) context.Context {
	return context.WithValue(ctx, deferrableKey{}, true)
}

func deferrable(ctx context.Context) bool {
	d, _ := ctx.Value(deferrableKey{}).(bool)
	return d
}

// NotBefore returns when a request to an origin (as Key names it; by default
// "https://example.org") may be sent: a time that has passed, or the zero time,
// if it may now. Soft holds count for requests that are [Deferrable].
func (t *Transport) NotBefore(origin string, deferrable bool) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.origins[origin]; o != nil {
		until, _ := o.until(deferrable)
		return until
	}
	return time.Time{}
}

// Restore makes the transport keep what an earlier one was told. Holds that
// have passed are ignored, and so is any part of one beyond [MaxInterval] from
// now.
func (t *Transport) Restore(holds ...Hold) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, h := range holds {
		if h.NotBefore.After(now) {
			// As a time from now: the wall clock may be set meanwhile.
			until := now.Add(min(h.NotBefore.Sub(now), MaxInterval))
			t.origin(h.Origin, now).extend(until, h.Soft)
		}
	}
}

// learn keeps what a response asked for.
func (t *Transport) learn(key string, h Hint) {
	soft, wait := h.Refused == 0, max(h.Refused, h.Ease)
	if wait == 0 {
		return
	}
	now := time.Now()
	until := now.Add(times(wait, t.stretch()))
	t.mu.Lock()
	longer := t.origin(key, now).extend(until, soft)
	t.mu.Unlock()
	if !longer {
		return
	}
	if t.Persist != nil {
		t.Persist(Hold{Origin: key, NotBefore: until, Soft: soft})
	}
	t.emit(Event{Kind: Held, Origin: key, Wait: until.Sub(now)})
}
