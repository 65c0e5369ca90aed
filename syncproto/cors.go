package syncproto

import (
	"net/http"
	"slices"
)

// What scripts of another origin may send and read. Without the second list a
// browser hides even Retry-After from them.
const (
	corsAllow  = "Authorization, Authentication, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, X-If-Unmodified-Since"
	corsExpose = "Retry-After, X-Sync-Poll, X-Sync-Poll-Time, X-Sync-Authorization, X-Weave-Backoff, X-Backoff, Backoff, ETag"
	corsAge    = "3600"
)

// cors sets the headers that let a page of a configured origin read the answer.
func (x *exchange) cors() {
	if len(x.cfg.Origins) == 0 {
		return
	}
	h := x.w.Header()
	if slices.Contains(x.cfg.Origins, "*") {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Add("Vary", "Origin")
		origin := x.r.Header.Get("Origin")
		if !slices.Contains(x.cfg.Origins, origin) {
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
	}
	h.Add("Access-Control-Expose-Headers", corsExpose)
}

// preflight answers without looking at the login: browsers send none with it.
func (x *exchange) preflight(methods string) {
	x.event.Op = "preflight"
	h := x.w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", corsAllow)
	h.Set("Access-Control-Max-Age", corsAge)
	x.event.Status = http.StatusNoContent
	x.w.WriteHeader(http.StatusNoContent)
}
