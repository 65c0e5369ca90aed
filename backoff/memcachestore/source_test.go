package memcachestore_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/memcachestore"
	"github.com/brownout-go/brownout/internal/testserver"
)

// service is a handler under a value that a source reads from a memcached.
func service(t testing.TB, m *testserver.Server) (http.Handler, *memcachestore.Store, *backoff.Source, <-chan backoff.Event) {
	t.Helper()
	store, err := memcachestore.New(memcachestore.Config{Addr: m.Addr})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan backoff.Event, 1000)
	source, err := backoff.NewSource(backoff.SourceConfig{
		Store: store,
		Every: 5 * time.Millisecond,
		OnEvent: func(e backoff.Event) {
			select {
			case events <- e:
			default: // nobody looks any more
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close(); store.Close() })
	ease, err := backoff.Policy{Current: source.Current}.Middleware()
	if err != nil {
		t.Fatal(err)
	}
	return ease(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), store, source, events
}

func poll(h http.Handler) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	return w.Header().Get("X-Sync-Poll")
}

func await(t *testing.T, events <-chan backoff.Event, k backoff.Kind) {
	t.Helper()
	for e := range events {
		if e.Kind == k {
			return
		}
	}
}

func TestTheValueOutlivesMemcachedsTroubles(t *testing.T) {
	m := testserver.Memcached(t)
	h, store, _, events := service(t, m)
	check := func(when, want string) {
		t.Helper()
		if got := poll(h); got != want {
			t.Errorf("%s: X-Sync-Poll %q, want %q", when, got, want)
		}
	}
	set := func(n int) {
		t.Helper()
		if err := store.Set(t.Context(), backoff.Value{Interval: time.Duration(n) * time.Second}); err != nil {
			t.Fatal(err)
		}
	}
	check("at first", "")
	set(20)
	await(t, events, backoff.ValueChanged)
	check("set", "20")

	m.Freeze()
	await(t, events, backoff.StoreFailed)
	check("frozen", "20")
	m.Thaw()
	await(t, events, backoff.StoreRecovered)
	check("thawed", "20")

	m.Kill()
	await(t, events, backoff.StoreFailed)
	check("killed", "20")
	m.Start()
	await(t, events, backoff.ValueChanged)
	check("started again, empty", "")
	set(30)
	await(t, events, backoff.ValueChanged)
	check("set again", "30")
}

// Requests to three services in turn, whose memcacheds are well, frozen and
// down: the quantiles of their latencies, in one run, are to be the same.
func BenchmarkRequestLatency(b *testing.B) {
	troubles := []struct {
		name    string
		trouble func(*testserver.Server)
	}{
		{"well", func(*testserver.Server) {}},
		{"frozen", (*testserver.Server).Freeze},
		{"down", (*testserver.Server).Kill},
	}
	clients := make([]func() time.Duration, len(troubles))
	for i, c := range troubles {
		m := testserver.Memcached(b)
		h, store, source, _ := service(b, m)
		if err := store.Set(b.Context(), backoff.Value{Interval: 20 * time.Second}); err != nil {
			b.Fatal(err)
		}
		if err := source.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
		c.trouble(m)
		server := httptest.NewServer(h)
		defer server.Close()
		client := server.Client()
		clients[i] = func() time.Duration {
			began := time.Now()
			r, err := client.Get(server.URL)
			if err != nil {
				b.Fatal(err)
			}
			r.Body.Close()
			if got := r.Header.Get("X-Sync-Poll"); got != "20" {
				b.Fatalf("%s: X-Sync-Poll %q", c.name, got)
			}
			return time.Since(began)
		}
	}
	took := make([][]time.Duration, len(clients))
	for b.Loop() {
		for i, ask := range clients {
			took[i] = append(took[i], ask())
		}
	}
	for i, c := range troubles {
		slices.Sort(took[i])
		for _, q := range []int{50, 99} {
			at := took[i][(len(took[i])-1)*q/100]
			b.ReportMetric(float64(at.Nanoseconds())/1e3, fmt.Sprintf("%s-p%d-µs", c.name, q))
		}
	}
}
