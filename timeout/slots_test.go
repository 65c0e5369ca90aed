package timeout_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// Handlers that hang keep their slots, although their clients have been answered.
func TestSlots(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{Slots: 3, Queue: 2, QueueWait: 50 * time.Millisecond})
		serve(l.Handler(http.HandlerFunc(hang)))
		var mu sync.Mutex
		took := map[time.Duration]int{}
		round := func() {
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					start := time.Now()
					res, err := s.client.Get("http://site/")
					if err != nil {
						s.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
					mu.Lock()
					defer mu.Unlock()
					if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
						s.Errorf("got %v", res.Status)
					}
					took[time.Since(start)]++
				})
			}
			wg.Wait()
		}
		round()
		if took[total] != 3 || took[50*time.Millisecond] != 2 || took[0] != 5 {
			s.Errorf("first round: %v", took)
		}
		clear(took)
		round()
		if took[50*time.Millisecond] != 2 || took[0] != 8 {
			s.Errorf("second round: %v", took)
		}
		if got := l.Stats(); got.InFlight != 3 || got.Abandoned != 3 || got.Refused != 17 || got.Queued != 0 {
			s.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if res, _, took := s.get("/"); res.StatusCode != 503 || took != total {
			s.Errorf("service did not return: %v after %v", res.Status, took)
		}
	})
}

func TestSilentReturnAfterTheDeadline(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			<-r.Context().Done()
		})))
		res, body, took := s.get("/")
		if res.StatusCode != 503 || took != 190*time.Millisecond || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" || body == "" {
			s.Errorf("got %v %q after %v", res.Status, body, took)
		}
		if res.Close {
			s.Error("the connection could have been kept")
		}
		synctest.Wait()
		if got := l.Stats(); got != (timeout.Stats{Timeouts: 1}) {
			s.Errorf("%+v", got)
		}
	})
}
