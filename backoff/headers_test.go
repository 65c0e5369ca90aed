package backoff_test

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

func TestScriptsFromOtherOriginsCanReadTheHeaders(t *testing.T) {
	const (
		origin = "Access-Control-Allow-Origin"
		with   = "Access-Control-Allow-Credentials"
		expose = "Access-Control-Expose-Headers"
	)
	shared := make([]string, 1, 8) // as CORS middleware that keeps one slice
	shared[0] = "Etag"
	for _, c := range []struct {
		name string
		set  http.Header
		want []string
	}{
		{"not a cross-origin response", http.Header{}, nil},
		{"nothing exposed yet", http.Header{origin: {"*"}}, []string{"X-Sync-Poll, X-Sync-Poll-Time"}},
		{"others exposed", http.Header{origin: {"*"}, expose: shared}, []string{"Etag", "X-Sync-Poll, X-Sync-Poll-Time"}},
		{"some of ours exposed", http.Header{origin: {"*"}, expose: {"x-sync-poll, Retry-After"}}, []string{"x-sync-poll, Retry-After", "X-Sync-Poll-Time"}},
		{"all of ours exposed", http.Header{origin: {"*"}, expose: {"X-Sync-Poll", "X-Sync-Poll-Time"}}, []string{"X-Sync-Poll", "X-Sync-Poll-Time"}},
		{"everything exposed", http.Header{origin: {"*"}, expose: {"*"}}, []string{"*"}},
		{"a star is a name with credentials", http.Header{origin: {"https://x"}, with: {"true"}, expose: {"*"}}, []string{"*", "X-Sync-Poll, X-Sync-Poll-Time"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := ease(t, backoff.Policy{Current: fixed(seconds(20))}, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.set {
					w.Header()[k] = v
				}
			})
			if got := answer(h, "GET", "/").Header[expose]; !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if spare := shared[:2][1]; spare != "" {
		t.Errorf("the CORS middleware's own slice was written to: %q", spare)
	}

	h := ease(t, backoff.Policy{RetryAfter: time.Second}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(origin, "*")
		w.WriteHeader(503)
	})
	if got := answer(h, "GET", "/").Header.Get(expose); got != "Retry-After" {
		t.Errorf("a refusal exposes %q", got)
	}
}
