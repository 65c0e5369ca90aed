package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// recheck is how soon a waiting client hears of what another server of the same
// database was told.
const recheck = 5 * time.Second

// watch is how clients may wait for news.
func (s *server) watch() syncproto.Watch {
	w := syncproto.Watch{Max: s.cfg.wait}
	if s.cfg.db != memoryDB && !s.cfg.owns() {
		w.Recheck = recheck
	}
	return w
}

// waits tells the requests that are meant to last: long polls and streams.
func waits(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/collections/") &&
		(r.URL.Query().Has("wait") || strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream"))
}

// budget is the time a request gets. One that waits for news gets so much more
// that it can be answered at the end of the longest wait; what it asks of the
// database keeps to the budget of all others.
func (s *server) budget(r *http.Request) time.Duration {
	if s.cfg.wait == 0 || !waits(r) {
		return s.cfg.budget
	}
	return s.cfg.wait + s.cfg.wait/7 + s.cfg.budget // syncproto keeps an eighth in hand
}

// untilDraining ends the requests that wait when the server drains. They are
// then answered that there is no news, and the others are finished.
func (s *server) untilDraining(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if waits(r) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(s.draining, cancel)()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}
