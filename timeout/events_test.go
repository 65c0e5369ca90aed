package timeout_test

import (
	"context"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// events keeps what OnEvent is told.
type events struct {
	mu  sync.Mutex
	got []timeout.Event
}

func (l *events) add(e timeout.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, e)
}

// take returns the events so far and forgets them.
func (l *events) take() []timeout.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.got
	l.got = nil
	return got
}

// What watches a service must not end it: the events of a deadline come on the goroutine
// of a timer, where nobody recovers.
func TestPanicInOnEvent(t *testing.T) {
	var logged syncBuffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&logged)
	both(t, func(s *site, serve func(http.Handler)) {
		onEvent := func(timeout.Event) { panic("watched") }
		l := limiter(s.T, timeout.Config{OnEvent: onEvent})
		b := backend(s.T, timeout.BackendConfig{Call: time.Millisecond, OnEvent: onEvent})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b.Do(r.Context(), func(context.Context) error { time.Sleep(time.Second); return nil })
			hang(w, r)
		})))
		logged.Reset()
		if res, _, took := s.get("/"); res.StatusCode != 503 || took != total {
			s.Errorf("got %v after %v", res.Status, took)
		}
		time.Sleep(time.Hour)
		if n := strings.Count(logged.String(), "watched"); n != 4 { // given up twice, returned, 503
			s.Errorf("%d panics were logged:\n%s", n, logged.String())
		}
		if got := l.Stats(); got.InFlight != 0 || b.Stats().InFlight != 0 {
			s.Errorf("%+v, %+v", got, b.Stats())
		}
	})
}

// kinds returns the events so far as "kind reason, kind reason", and forgets them.
func (l *events) kinds() string {
	var all []string
	for _, e := range l.take() {
		all = append(all, strings.TrimSpace(string(e.Kind)+" "+string(e.Reason)))
	}
	return strings.Join(all, ", ")
}
