package main

import (
	"net/http"
	"sync/atomic"
)

// counts are of all requests, for the page.
type counts struct {
	requests, errors, unavailable atomic.Int64
	inFlight                      atomic.Int64
	states                        atomic.Int64 // asked of the database: see counted
}

// handler counts what next answers. It stands outside of everything else, so
// that it sees the answers that clients see.
func (c *counts) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		c.inFlight.Add(1)
		s := &statusWriter{ResponseWriter: w}
		defer func() {
			c.inFlight.Add(-1)
			status := s.status.Load()
			if status >= 400 {
				c.errors.Add(1)
			}
			if status == http.StatusServiceUnavailable {
				c.unavailable.Add(1)
			}
		}()
		next.ServeHTTP(s, r)
	})
}

// statusWriter remembers the status of a response. The status is atomic
// because the timeout middleware may answer from its timer.
type statusWriter struct {
	http.ResponseWriter
	status atomic.Int64
}

func (w *statusWriter) WriteHeader(status int) {
	if status >= 200 {
		w.status.CompareAndSwap(0, int64(status))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what the server's writer can do.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
