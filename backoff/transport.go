package backoff

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Mode says what a [Transport] does with a request that its service asked
// not to be sent yet.
type Mode int

// The modes.
const (
	// Wait keeps the request back until it may be sent, or its context ends,
	// or it is clear that its context will end first. This is the zero Mode.
	Wait Mode = iota

	// FailFast returns a [WaitError] at once.
	FailFast

	// HintOnly sends it. The hints are there to be asked for: see
	// [Transport.NotBefore].
	HintOnly
)

// A Transport is an http.RoundTripper that obeys the services it talks to: the
// other side of a [Policy], and of anything else that sends the headers that
// [ReadHint] reads. The zero Transport waits as it is told, and no less than
// all requests through it have been told together: what one response says
// holds for all goroutines, and a later response can only lengthen it.
//
//   - After a 503 or 429 that says when to come back, nothing is sent to that
//     origin until then. The first request after the wait goes alone; the others
//     that have waited follow when it was answered, or after two seconds, unless
//     its answer was another refusal.
//   - After any other response with a hint, requests marked by [Deferrable] wait;
//     others go on.
//   - A request whose context would end first fails at once with a [WaitError].
//
// A response's hints hold for the origin the request went to, so that a
// redirect cannot slow down somebody else. Of more than a thousand origins that
// ask for a pause those with the shortest are forgotten. Fields must not be
// changed after the first request. A Transport may be used by several goroutines
// at once, and must not be copied.
type Transport struct {
	// Base sends the requests; nil means http.DefaultTransport.
	Base http.RoundTripper

	// Mode says what to do with a request that may not be sent yet. The zero
	// Mode is Wait.
	Mode Mode

	// MaxWait is the longest that a request waits; one that would wait longer
	// fails at once with a [WaitError]. 0 means as long as its context allows.
	MaxWait time.Duration

	// Jitter makes waits longer than asked for by up to this share, drawn once
	// for each hint, so that the clients of a service do not come back in step.
	// 0 means 0.25; negative means none.
	Jitter float64

	// Key names whom a hint concerns; nil means scheme, host and port of the
	// request's URL. Requests with key "" are let through.
	Key func(*http.Request) string

	// Retry, if not nil, repeats requests that were refused or not answered. By
	// default nothing is repeated.
	Retry *Retry

	// Persist, if not nil, is told of each new or longer hold, so that a
	// program that is started again can [Transport.Restore] it. It is called
	// by several goroutines at once and must not block.
	Persist func(Hold)

	// OnEvent, if not nil, is told what the transport does: see [Event].
	OnEvent func(Event)

	mu      sync.Mutex
	origins map[string]*origin
	budget  budget
}

// RoundTrip implements http.RoundTripper. It may return a [*WaitError].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	key := t.key(r)
	if key == "" {
		return t.base().RoundTrip(r)
	}
	try := t.tries(r)
	for request := r; ; {
		done, err := t.admit(r.Context(), key)
		if err != nil {
			if request.Body != nil {
				request.Body.Close()
			}
			return nil, err
		}
		response, err := t.base().RoundTrip(request)
		if err == nil {
			t.learn(key, ReadHint(response, time.Now()))
		}
		done()

		next, hold, ok := try.again(key, response, err)
		if !ok {
			return response, err
		}
		if response != nil {
			discard(response.Body) // others can use its connection meanwhile
		}
		request = next
		if err := t.pause(r.Context(), hold); err != nil {
			if request.Body != nil {
				request.Body.Close()
			}
			return nil, err
		}
	}
}

// CloseIdleConnections closes those of Base, if it can; http.Client's method of
// that name calls it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// discard reads what is left of a small body, so that the connection can be
// used again, and closes it. One that does not come is not worth a long wait.
func discard(body io.ReadCloser) {
	timer := time.AfterFunc(time.Second, func() { body.Close() })
	defer timer.Stop()
	io.CopyN(io.Discard, body, 16<<10)
	body.Close()
}

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}

func (t *Transport) key(r *http.Request) string {
	if t.Key != nil {
		return t.Key(r)
	}
	return originOf(r.URL)
}

// originOf is the URL's scheme, host and port, written in one way only.
func originOf(u *url.URL) string {
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host
}

// admit waits until a request may be sent. The caller must call done when it
// has been answered.
func (t *Transport) admit(ctx context.Context, key string) (done func(), err error) {
	started := time.Now()
	for waited := false; ; waited = true {
		h, wait, done := t.next(key, deferrable(ctx))
		if done != nil {
			if waited {
				t.emit(Event{Kind: Waited, Origin: key, Wait: time.Since(started)})
			}
			return done, nil
		}
		if wait == nil { // else it is short, and may be over before the deadline
			if err := t.unwilling(ctx, started, h); err != nil {
				return nil, t.notSent(h, err)
			}
		}
		until, patient := h.NotBefore, true
		if most := started.Add(t.MaxWait); t.MaxWait > 0 && most.Before(until) {
			until, patient = most, false
		}
		timer := time.NewTimer(time.Until(until))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, t.notSent(h, ctx.Err())
		case <-timer.C:
			if !patient {
				return nil, t.notSent(h, ErrHeld)
			}
		case <-wait:
			timer.Stop()
		}
	}
}

// pause waits until a request may be sent once more.
func (t *Transport) pause(ctx context.Context, h Hold) error {
	timer := time.NewTimer(time.Until(h.NotBefore))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return t.notSent(h, ctx.Err())
	}
}

// unwilling says why a request will not wait for the hold to end; nil if it
// will.
func (t *Transport) unwilling(ctx context.Context, started time.Time, h Hold) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.Mode == FailFast || t.MaxWait > 0 && h.NotBefore.Sub(started) > t.MaxWait {
		return ErrHeld
	}
	if deadline, ok := ctx.Deadline(); ok && !h.NotBefore.Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

func (t *Transport) notSent(h Hold, why error) error {
	t.emit(Event{Kind: NotSent, Origin: h.Origin, Err: why, Wait: time.Until(h.NotBefore)})
	return &WaitError{Hold: h, Err: why}
}

func (t *Transport) emit(e Event) {
	if t.OnEvent != nil {
		t.OnEvent(e)
	}
}
