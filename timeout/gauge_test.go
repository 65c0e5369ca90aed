package timeout_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// What was abandoned is waited for: after Wait a program may close what handlers and calls use.
func TestWait(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{})
		b := backend(s.T, timeout.BackendConfig{Call: total / 2})
		if err := l.Wait(s.Context()); err != nil {
			s.Errorf("with nothing to wait for: %v", err)
		}
		start := time.Now()
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b.Do(r.Context(), func(context.Context) error { time.Sleep(2 * time.Minute); return nil })
			hang(w, r)
		})))
		s.get("/")
		short, cancel := context.WithTimeout(s.Context(), time.Second)
		defer cancel()
		if err := errors.Join(l.Wait(short), b.Wait(short)); !errors.Is(err, context.DeadlineExceeded) {
			s.Errorf("within a second: %v", err)
		}
		if err := l.Wait(s.Context()); err != nil || time.Since(start) != time.Minute+total/2 {
			s.Errorf("the handler: %v after %v", err, time.Since(start))
		}
		if err := b.Wait(s.Context()); err != nil || time.Since(start) != 2*time.Minute {
			s.Errorf("the call: %v after %v", err, time.Since(start))
		}
		synctest.Wait()
		if l.Stats().InFlight != 0 || b.Stats().InFlight != 0 {
			s.Errorf("%+v %+v", l.Stats(), b.Stats())
		}
	})
}
