package backoff

import (
	"net/http"
	"strings"
	"time"
)

// middleware is a Policy made ready: defaults filled in, names checked.
type middleware struct {
	Policy
	groups []group
	dice   dice
}

// handler is a handler under the middleware.
type handler struct {
	*middleware
	next http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := h.Current()
	if v.IsZero() && h.RetryAfter == 0 {
		h.next.ServeHTTP(w, r)
		return
	}
	h.serve(w, r, &v)
}

// serve is ServeHTTP's uncommon path, apart so that the common one stays small.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, v *Value) {
	next, wait := h.next, max(v.Interval, h.RetryAfter)
	if h.refuses(r, v) {
		next = h.Refuse
		if wait == 0 {
			wait = DefaultRetryAfter
		}
		h.emit(Event{Kind: Shed, Value: *v})
	}
	with := writer{middleware: h.middleware, request: r, retryAfter: wait}
	if h.carries(v) {
		with.interval = v.Interval
	}
	outer, inner := wrap(w, with)
	next.ServeHTTP(outer, r)
	if !inner.stamped {
		inner.stamp(http.StatusOK)
	}
}

// refuses draws whether the request is refused.
func (m *middleware) refuses(r *http.Request, v *Value) bool {
	return v.Unavailable > 0 && !m.exempt(r.URL.Path) && m.dice.roll() < v.Unavailable
}

func (m *middleware) exempt(path string) bool {
	for _, e := range m.Exempt {
		if path == e || strings.HasSuffix(e, "/") && strings.HasPrefix(path, e) {
			return true
		}
	}
	return false
}

// carries draws whether the response carries the value's Interval.
func (m *middleware) carries(v *Value) bool {
	switch {
	case v.Interval <= 0:
		return false
	case v.Probability <= 0 || v.Probability >= 1:
		return true
	}
	return m.dice.roll() < v.Probability
}

// stretch draws by what factor to lengthen the intervals in a response.
func (m *middleware) stretch(r *http.Request) float64 {
	if m.Jitter <= 0 {
		return 1
	}
	var name string
	if m.Client != nil {
		name = m.Client(r)
	}
	var u float64
	if name != "" {
		u = m.dice.stable(name)
	} else {
		u = m.dice.roll()
	}
	return 1 + m.Jitter*u
}

// times is d times f, for an f that may be no whole number, of a d that headers
// can carry.
func times(d time.Duration, f float64) time.Duration {
	d = min(d, MaxInterval)
	if f == 1 {
		return d // exact, where float64 may not be
	}
	return time.Duration(float64(d) * f)
}

func (m *middleware) emit(e Event) {
	if m.OnEvent != nil {
		m.OnEvent(e)
	}
}
