package backoff

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Names of the headers that ask a client to wait.
const (
	SyncPoll     = "X-Sync-Poll"      // App Sync, as documented
	SyncPollTime = "X-Sync-Poll-Time" // App Sync, as its client reads it
	WeaveBackoff = "X-Weave-Backoff"  // Firefox Sync
	XBackoff     = "X-Backoff"        // Firefox Sync 1.5
	Backoff      = "Backoff"          // Kinto
	RetryAfter   = "Retry-After"      // RFC 9110, section 10.2.3
)

// DefaultRetryAfter is what the Retry-After of a refused request says when
// neither the value nor the policy has an interval: what the original server
// said.
const DefaultRetryAfter = 120 * time.Second

// A Policy is HTTP middleware that puts the value in force into responses. The
// zero Policy does nothing; with Current set and nothing else, it sends
// X-Sync-Poll and X-Sync-Poll-Time on successful GETs, and Retry-After on
// refusals, while a value is in force.
type Policy struct {
	// Current returns the value in force: a [Source]'s method of that name, a
	// function that returns a constant, [Max] of several. It is called once per
	// request, by many goroutines at once, and must not wait for anything. nil
	// is no value ever.
	Current func() Value

	// Headers names the headers that carry the value's Interval; nil means
	// X-Sync-Poll and X-Sync-Poll-Time. Those two go on answers to GET and HEAD
	// with a 2xx status or 304; any other name goes on every final response.
	// Retry-After does not belong here: it always goes on a 503 or 429 that
	// lacks it.
	Headers []string

	// RetryAfter is the least that Retry-After says. With 0, a 503 or 429 is
	// given a Retry-After only while a value is in force, and it says the
	// Interval. Otherwise it is given one always, the longer of the two; every
	// response is wrapped then, which costs an allocation a request. A refusal
	// with neither says [DefaultRetryAfter].
	RetryAfter time.Duration

	// Jitter makes what is sent vary, upward only: a header says between
	// Interval and Interval*(1+Jitter). 0 sends exactly Interval. With 0.25 a
	// fleet that was stopped together drifts apart over some intervals; package
	// adaptive spreads it at once. It applies to RetryAfter too. All headers of
	// a response agree.
	Jitter float64

	// Client, if not nil, names the client a request comes from (its user, its
	// device). Jitter is then a function of the name and is the same each time,
	// on every server with the same Seed, so that clients keep their distance
	// instead of drawing again at each poll. "" draws.
	Client func(*http.Request) string

	// Exempt lists the paths that are never refused because of the value's
	// Unavailable: health checks, login, the page an operator watches. A path
	// that ends in a slash exempts everything below it. Paths are those the
	// middleware sees, before or after http.StripPrefix as it is mounted.
	Exempt []string

	// Refuse answers the requests that the value's Unavailable refuses; nil
	// means a 503 with a line of text. It may set Retry-After itself, and
	// should set Cache-Control: no-store.
	Refuse http.Handler

	// Seed makes the draws of Jitter, Probability and Unavailable repeatable,
	// for tests. 0 means a random seed.
	Seed uint64

	// OnEvent, if not nil, is told of each header sent and each request
	// refused: see [Event].
	OnEvent func(Event)
}

// Middleware returns the policy as a function that wraps a handler. The error
// says which field of the policy is wrong.
//
// While no value is in force and RetryAfter is 0 the wrapped handler gets the
// very ResponseWriter that the server made, for the price of one call of
// Current. Otherwise it gets a wrapper that differs in this:
//
//   - Headers are added when the response's header is written, by WriteHeader
//     or the first Write, Flush or ReadFrom, or after a handler that did none of
//     these. They are not in the map before.
//   - It has Flush, or Flush and Hijack, or these and ReadFrom (so that
//     sendfile works), as far as what it wraps has them, and Unwrap, so that
//     http.ResponseController reaches the rest. http.Pusher and
//     http.CloseNotifier are not kept, and http.MaxBytesReader cannot make the
//     server close the connection after a body that was too long.
//   - Informational responses (1xx) and hijacked connections are left alone.
//   - If the response has Access-Control-Allow-Origin, the names of the headers
//     added are added to Access-Control-Expose-Headers: without that a script
//     from another origin cannot read them.
//
// A header that the handler set is never replaced; X-Sync-Poll and
// X-Sync-Poll-Time count as one, and so do X-Weave-Backoff and X-Backoff. To
// send none, a handler sets the key to nil: w.Header()["X-Sync-Poll"] = nil.
func (p Policy) Middleware() (func(http.Handler) http.Handler, error) {
	names := p.Headers
	if names == nil {
		names = []string{SyncPoll, SyncPollTime}
	}
	groups, err := groupHeaders(names)
	if err != nil {
		return nil, err
	}
	if p.RetryAfter < 0 {
		return nil, fmt.Errorf("backoff: Policy.RetryAfter is %v: it must not be negative", p.RetryAfter)
	}
	if !(p.Jitter >= 0 && p.Jitter <= 10) {
		return nil, fmt.Errorf("backoff: Policy.Jitter is %v: it must be a fraction of the interval, from 0 to 10", p.Jitter)
	}
	if p.Refuse == nil {
		p.Refuse = http.HandlerFunc(refuse)
	}
	if p.Current == nil {
		p.Current = func() Value { return Value{} }
	}
	if p.Seed == 0 {
		var b [8]byte
		rand.Read(b[:])
		p.Seed = binary.LittleEndian.Uint64(b[:])
	}
	p.Exempt = slices.Clone(p.Exempt)
	m := &middleware{Policy: p, groups: groups, dice: dice{seed: p.Seed}}
	return func(next http.Handler) http.Handler {
		return &handler{middleware: m, next: next}
	}, nil
}

// refuse is the default of Policy.Refuse.
func refuse(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "the service is shedding load, come back later", http.StatusServiceUnavailable)
}
