package adaptive

import (
	"net/http"
	"time"
)

// Handler returns next, measured: the signals InFlight and Latency, and
// shedding, need it. It belongs inside the Policy that calls Current, so that
// what the Policy refuses does not count as what the service cannot do. If
// nothing needs measuring, it returns next itself.
//
// With shedding, all that the Policy lets through must come here: a request that
// Current was called for and that never comes counts as refused, and many of
// them look like a service that fails. Let the Policy wrap only what this wraps,
// or this all that the Policy wraps. And what answers 503 in the handler's
// place, as package timeout's Limiter does, belongs inside: from outside, a
// handler that answers too late looks like one that succeeds.
//
// To InFlight and Latency a request that is meant to last, such as a long poll, a
// stream or a websocket, looks like one that is stuck: mount those beside this.
//
// Only shedding, which needs to know how requests end, wraps the
// ResponseWriter: the wrapper has Flush, or Flush and Hijack, or these and
// ReadFrom, as far as what it wraps has them, and Unwrap. A panic counts as a
// failure.
func (c *Controller) Handler(next http.Handler) http.Handler {
	if c.config.InFlight == 0 && c.config.Latency == 0 && c.config.MaxShed == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, failed := time.Now(), true
		c.begin(began)
		defer func() { c.end(began, failed) }()
		if c.config.MaxShed == 0 {
			next.ServeHTTP(w, r)
			failed = false
			return
		}
		outer, code := watch(w)
		next.ServeHTTP(outer, r)
		failed = *code >= 500
	})
}

func (c *Controller) begin(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight++
	c.shed.begun.add(now, 1)
}

func (c *Controller) end(began time.Time, failed bool) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
	c.latency.add(now, now.Sub(began).Seconds())
	c.shed.ended.add(now, 1)
	if !failed {
		c.shed.accepted.add(now, 1)
	}
}
