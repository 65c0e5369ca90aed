package oidclogin

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxAnswer is how large a configuration or a set of keys may be.
const maxAnswer = 1 << 20

// burst is how often the keys may be asked for in a row. An issuer that changes
// its key needs one.
const burst = 5

var errTooOften = errors.New("unknown keys come faster than they are asked for")

// sparing is a transport that asks burst times, and then once every interval: a
// set of keys asks for each key that it does not know, and at once, so that a
// new one is good from its first token on.
type sparing struct {
	base  http.RoundTripper
	every time.Duration

	mu   sync.Mutex
	paid time.Time // until when what was asked is paid for
}

func (s *sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	if !s.allow(time.Now()) {
		return nil, errTooOften
	}
	return s.base.RoundTrip(r)
}

func (s *sparing) allow(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paid.Before(now) {
		s.paid = now
	}
	if s.paid.Sub(now) > (burst-1)*s.every {
		return false
	}
	s.paid = s.paid.Add(s.every)
	return true
}

// renewal is the transport of a set of keys that takes the place of another: its
// first request is made at a pace of its own, so that made-up keys do not put it
// off.
type renewal struct {
	first, rest http.RoundTripper
	made        atomic.Bool
}

func (t *renewal) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.made.CompareAndSwap(false, true) {
		return t.first.RoundTrip(r)
	}
	return t.rest.RoundTrip(r)
}

// bounded is a transport whose answers end at maxAnswer bytes, and then are not
// the JSON that they were.
type bounded struct{ base http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.base.RoundTrip(r)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxAnswer)
	}
	return res, err
}
