package observe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"github.com/cactus/go-statsd-client/v5/statsd/statsdtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/observe/observetest"
	"github.com/brownout-go/brownout/timeout"
	"github.com/brownout-go/brownout/timeout/observe"
)

func TestMain(m *testing.M) { leak.Main(m) }

func Example() {
	sent := statsdtest.NewRecordingSender()
	client, err := statsd.NewClientWithSender(sent, "sync", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	obs := &observe.Observer{Statsd: client}
	cache, err := timeout.NewBackend(timeout.BackendConfig{
		Name:    "memcached",
		Call:    10 * time.Millisecond,
		OnEvent: obs.Observe,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan struct{})
	defer close(done)
	cache.Do(context.Background(), func(context.Context) error { <-done; return nil })
	for _, s := range sent.GetSent() {
		fmt.Println(string(s.Raw))
	}
	// Output:
	// sync.timeout.backend.memcached.abandoned:1|c
	// sync.timeout.backend.memcached.timeout.deadline:1|c
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, sent := observetest.Statsd(t)
		core, logs := observer.New(zap.DebugLevel)
		obs := &observe.Observer{Statsd: client, Log: zap.New(core)}
		limit, err := timeout.New(timeout.Config{Total: time.Second, OnEvent: obs.Observe})
		if err != nil {
			t.Fatal(err)
		}
		db, err := timeout.NewBackend(timeout.BackendConfig{Name: "my.sql", Call: 100 * time.Millisecond, OnEvent: obs.Observe})
		if err != nil {
			t.Fatal(err)
		}
		h := limit.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			switch r.URL.Path {
			case "/hang":
				time.Sleep(time.Minute)
				return nil
			case "/db":
				return db.Do(r.Context(), func(context.Context) error { time.Sleep(time.Minute); return nil })
			case "/reset":
				return &net.OpError{Op: "read", Err: syscall.ECONNRESET}
			default:
				return errors.New("secret")
			}
		})
		for _, path := range []string{"/hang", "/db", "/bug", "/reset"} {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		obs.Limiter(limit.Stats())
		obs.Backend("my.sql", db.Stats())

		got := sent()
		want := []string{
			"timeout.request.timeout.deadline:1|c",
			"timeout.backend.my_sql.abandoned:1|c",
			"timeout.backend.my_sql.timeout.deadline:1|c",
			"timeout.request.failed.my_sql.deadline:1|c",
			"timeout.request.failed:1|c",
			"timeout.request.failed.unavailable:1|c",
			"timeout.backend.my_sql.returned:1|c",
			"timeout.backend.my_sql.returned.took:60000|ms",
			"timeout.request.inflight:0|g",
			"timeout.request.queued:0|g",
			"timeout.request.abandoned_now:0|g",
			"timeout.backend.my_sql.inflight:0|g",
			"timeout.backend.my_sql.queued:0|g",
			"timeout.backend.my_sql.abandoned_now:0|g",
		}
		if !slices.Equal(got, want) {
			t.Errorf("sent\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		var lines []string
		for _, e := range logs.All() {
			lines = append(lines, fmt.Sprint(e.Level, " ", e.Message))
			if m := e.ContextMap(); e.Message == "timeout: failed" && (m["incident"] == "" || m["path"] == nil) {
				t.Errorf("%v", m)
			}
		}
		wantLines := []string{
			"warn timeout: timeout", "warn timeout: abandoned", "warn timeout: timeout",
			"warn timeout: failed", "error timeout: failed", "warn timeout: failed", "debug timeout: returned",
		}
		if !slices.Equal(lines, wantLines) {
			t.Errorf("logged %q, want %q", lines, wantLines)
		}
	})
}

func TestZeroObserverDoesNothing(t *testing.T) {
	var obs observe.Observer
	obs.Observe(timeout.Event{Kind: timeout.KindPanic})
	obs.Limiter(timeout.Stats{})
	obs.Backend("x", timeout.BackendStats{})
}
