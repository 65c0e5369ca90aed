package backoff_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// null is a ResponseWriter that costs nothing itself.
type null struct{ header http.Header }

func (n null) Header() http.Header         { return n.header }
func (n null) Write(p []byte) (int, error) { return len(p), nil }
func (n null) WriteHeader(int)             {}
func (n null) Flush()                      {}

// quiet is a source with nothing to say, kept and polled as in production.
func quiet(t testing.TB, v backoff.Value) *backoff.Source {
	store := new(backoff.Memory)
	store.Set(t.Context(), v)
	s, err := backoff.NewSource(backoff.SourceConfig{Store: store, Every: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkMiddleware(b *testing.B) {
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) })
	request := httptest.NewRequest("GET", "/", nil)
	run := func(name string, h http.Handler) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := null{http.Header{}}
			for b.Loop() {
				clear(w.header)
				h.ServeHTTP(w, request)
			}
		})
	}
	run("bare", next)
	run("no value", ease(b, backoff.Policy{Current: quiet(b, backoff.Value{}).Current}, next))
	run("value", ease(b, backoff.Policy{Current: quiet(b, seconds(20)).Current}, next))
	run("value and jitter", ease(b, backoff.Policy{Current: quiet(b, seconds(20)).Current, Jitter: 0.25}, next))
	run("Retry-After floor, no value", ease(b, backoff.Policy{RetryAfter: time.Minute}, next))
}

func TestNoValueCostsNoAllocation(t *testing.T) {
	h := ease(t, backoff.Policy{Current: quiet(t, backoff.Value{}).Current}, status(200))
	w, r := null{http.Header{}}, httptest.NewRequest("GET", "/", nil)
	if n := testing.AllocsPerRun(1000, func() { h.ServeHTTP(w, r) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}
