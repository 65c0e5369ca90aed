package backoff

import (
	"net/http"
	"slices"
	"time"
)

// Delays are how long to wait before each retry in turn: a negative one ends
// the retries. An exponential backoff of package cenkalti/backoff is one.
type Delays interface {
	NextBackOff() time.Duration
}

// Retry says which requests a [Transport] repeats. Only a request that can be
// replayed is repeated: its method is idempotent (GET, HEAD, OPTIONS, TRACE,
// PUT, DELETE) or it has an Idempotency-Key, and it has no body or a GetBody.
//
// A request is repeated after a 503 or 429, when the wait that its hint asks
// for is over; without a hint, and after an error of the connection, only if
// Fallback says when. One that would not be sent in time is not repeated: the
// caller gets the response. While a repeat waits, the response before it is
// given up, and with it its connection; if the context ends then, the caller
// gets a [WaitError].
type Retry struct {
	// Attempts is how often a request is repeated at most. 0 means 3.
	Attempts int

	// Budget is the share of requests that may be repeats. Retries multiply
	// the load of a service that is failing, so they are rationed: each request
	// adds Budget of a retry to what there is, up to 10. 0 means 0.1.
	Budget float64

	// Fallback returns the delays before the retries of one request to which
	// the service said nothing about waiting. nil means that such requests are
	// not repeated.
	Fallback func() Delays
}

const (
	defaultAttempts = 3
	defaultBudget   = 0.1
	maxBudget       = 10
)

// budget is how many retries there are. Guarded by the Transport's mu.
type budget struct {
	filled bool // a Transport starts with all of it
	left   float64
}

func (b *budget) add(n float64) {
	if !b.filled {
		b.filled, b.left = true, maxBudget
	}
	b.left = min(b.left+n, maxBudget)
}

func (b *budget) take() bool {
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// tries counts the attempts of one request.
type tries struct {
	*Transport
	request *http.Request
	left    int
	delays  Delays
}

func (t *Transport) tries(r *http.Request) *tries {
	if t.Retry == nil || t.Mode == HintOnly || !replayable(r) {
		return &tries{Transport: t, request: r}
	}
	share := t.Retry.Budget
	if share == 0 {
		share = defaultBudget
	}
	t.mu.Lock()
	t.budget.add(share)
	t.mu.Unlock()

	left := t.Retry.Attempts
	if left == 0 {
		left = defaultAttempts
	}
	return &tries{Transport: t, request: r, left: left}
}

func replayable(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
	default:
		// The names are those that net/http retries with.
		if len(r.Header["Idempotency-Key"]) == 0 && len(r.Header["X-Idempotency-Key"]) == 0 {
			return false
		}
	}
	return r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
}

// again decides whether the request is sent once more, after the response or
// the error it got, and when. The request to send is a copy with a body of its
// own.
func (t *tries) again(key string, response *http.Response, err error) (next *http.Request, hold Hold, ok bool) {
	ctx := t.request.Context()
	refused := err == nil && slices.Contains([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}, response.StatusCode)
	if t.left <= 0 || ctx.Err() != nil || err == nil && !refused {
		return nil, hold, false
	}
	hold = Hold{Origin: key, NotBefore: t.NotBefore(key, deferrable(ctx))}
	if !hold.NotBefore.After(time.Now()) { // nothing was said
		d, ok := t.fallback()
		if !ok {
			return nil, hold, false
		}
		hold.NotBefore = time.Now().Add(d)
	}
	if t.unwilling(ctx, time.Now(), hold) != nil {
		return nil, hold, false
	}
	next = t.request.Clone(ctx)
	if t.request.GetBody != nil {
		if next.Body, err = t.request.GetBody(); err != nil {
			return nil, hold, false
		}
	}
	t.mu.Lock()
	ok = t.budget.take()
	t.mu.Unlock()
	if !ok {
		if next.Body != nil {
			next.Body.Close()
		}
		return nil, hold, false
	}
	t.left--
	t.emit(Event{Kind: Retried, Origin: key, Wait: time.Until(hold.NotBefore)})
	return next, hold, true
}

// fallback is the next delay for a request about which the service is silent.
func (t *tries) fallback() (time.Duration, bool) {
	if t.Retry.Fallback == nil {
		return 0, false
	}
	if t.delays == nil {
		t.delays = t.Retry.Fallback()
	}
	d := t.delays.NextBackOff()
	return d, d >= 0
}
