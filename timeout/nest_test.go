package timeout_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

func TestLimitersNest(t *testing.T) {
	for _, c := range []struct {
		name         string
		outer, inner time.Duration
	}{
		{"inner tighter", time.Second, total},
		{"outer tighter", total, time.Second},
		{"same", total, total},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(s *site, serve func(http.Handler)) {
				outer := limiter(s.T, timeout.Config{Total: c.outer})
				inner := limiter(s.T, timeout.Config{Total: c.inner})
				serve(outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/hang" {
						hang(w, r)
					}
					w.Header().Set("X-Inner", "1")
					io.WriteString(w, "fine")
				}))))
				res, body, _ := s.get("/")
				if res.StatusCode != 200 || body != "fine" || res.Header.Get("X-Inner") != "1" {
					s.Errorf("in time: %v %q", res.Status, body)
				}
				res, _, took := s.get("/hang")
				if res.StatusCode != 503 || took != total || res.Header.Get("Retry-After") == "" {
					s.Errorf("late: %v after %v", res.Status, took)
				}
				time.Sleep(2 * time.Minute)
				if a, b := outer.Stats(), inner.Stats(); a.InFlight+a.Abandoned+b.InFlight+b.Abandoned != 0 {
					s.Errorf("afterwards: outer %+v, inner %+v", a, b)
				}
				if s.log.String() != "" {
					s.Errorf("the server logged %s", s.log)
				}
			})
		})
	}
}
