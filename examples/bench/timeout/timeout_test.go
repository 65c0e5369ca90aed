package timeout

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/failsafehttp"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/brownout-go/brownout/timeout"
)

const total = 10 * time.Second

var subjects = []struct {
	name string
	wrap func(http.Handler) http.Handler
}{
	{"bare", func(h http.Handler) http.Handler { return h }},
	{"timeout", func(h http.Handler) http.Handler {
		l, err := timeout.New(timeout.Config{Total: total})
		if err != nil {
			panic(err)
		}
		return l.Handler(h)
	}},
	{"TimeoutHandler", func(h http.Handler) http.Handler { return http.TimeoutHandler(h, total, "timeout") }},
	{"chi", middleware.Timeout(total)},
	{"failsafehttp", func(h http.Handler) http.Handler {
		return failsafehttp.NewHandler(h, failsafetimeout.New[*http.Response](total))
	}},
}

// serve returns the address of a server of h on loopback.
func serve(tb testing.TB, h http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(l)
	}()
	tb.Cleanup(func() {
		server.Close()
		<-done
	})
	return l.Addr().String()
}

// BenchmarkLoopback is a whole request over a kept connection.
func BenchmarkLoopback(b *testing.B) {
	for _, size := range []int64{1 << 10, 1 << 20} {
		payload := make([]byte, size)
		for _, s := range subjects {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, s.name), func(b *testing.B) {
				url := "http://" + serve(b, s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Write(payload)
				})))
				transport := &http.Transport{DisableCompression: true}
				defer transport.CloseIdleConnections()
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					fetch(b, transport, url, size)
				}
			})
		}
	}
}

// BenchmarkRatio takes turns between the bare handler and a wrapped one, so that whatever
// else the machine does hits both, and reports the ratio of the medians as x-bare.
func BenchmarkRatio(b *testing.B) {
	for _, size := range []int64{1 << 10, 1 << 20} {
		payload := make([]byte, size)
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(payload) })
		for _, s := range subjects[1:] {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, s.name), func(b *testing.B) { ratio(b, h, s.wrap, size) })
		}
	}
}

// BenchmarkContext is BenchmarkRatio for handlers that use the context of their request:
// one that looks for a value, as those who trace do, and one that watches for its end.
func BenchmarkContext(b *testing.B) {
	payload := make([]byte, 1<<10)
	for name, use := range map[string]func(context.Context){
		"value": func(ctx context.Context) { ctx.Value(traceKey{}) },
		"done":  func(ctx context.Context) { ctx.Done() },
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			use(r.Context())
			w.Write(payload)
		})
		for _, s := range subjects[1:] {
			b.Run(name+"/"+s.name, func(b *testing.B) { ratio(b, h, s.wrap, 1<<10) })
		}
	}
}

type traceKey struct{}

func ratio(b *testing.B, h http.Handler, wrap func(http.Handler) http.Handler, size int64) {
	urls := [2]string{"http://" + serve(b, h), "http://" + serve(b, wrap(h))}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	var took [2][]time.Duration
	for i := 0; b.Loop(); i++ {
		for j := range 2 {
			which := (i + j) % 2
			start := time.Now()
			fetch(b, transport, urls[which], size)
			took[which] = append(took[which], time.Since(start))
		}
	}
	b.ReportMetric(float64(median(took[1]))/float64(median(took[0])), "x-bare")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func fetch(b *testing.B, transport *http.Transport, url string, size int64) {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := transport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if n != size || err != nil {
		b.Fatal(n, err)
	}
}

// BenchmarkWriter is the middleware alone: the writer does nothing.
func BenchmarkWriter(b *testing.B) {
	payload := make([]byte, 1<<10)
	for _, s := range subjects {
		b.Run(s.name, func(b *testing.B) {
			h := s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(payload) }))
			r, err := http.NewRequestWithContext(context.Background(), "GET", "http://site/", nil)
			if err != nil {
				b.Fatal(err)
			}
			w := nullWriter{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

type nullWriter struct{ h http.Header }

func (w nullWriter) Header() http.Header              { return w.h }
func (w nullWriter) Write(p []byte) (int, error)      { return len(p), nil }
func (w nullWriter) WriteHeader(int)                  {}
func (w nullWriter) SetReadDeadline(time.Time) error  { return nil }
func (w nullWriter) SetWriteDeadline(time.Time) error { return nil }

// held returns the live heap for each of eight responses of 10 MiB whose handlers have
// written everything and not returned, over what the same takes without a middleware.
func held(tb testing.TB, wrap func(http.Handler) http.Handler) int64 {
	const n, size = 8, 10 << 20
	written := make(chan struct{}, n)
	release := make(chan struct{})
	chunk := make([]byte, 32<<10)
	url := "http://" + serve(tb, wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range size / len(chunk) {
			w.Write(chunk)
		}
		written <- struct{}{}
		<-release
	})))
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	before := live()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			r, _ := http.NewRequest("GET", url, nil)
			res, err := transport.RoundTrip(r)
			if err != nil {
				tb.Error(err)
				return
			}
			defer res.Body.Close()
			if got, err := io.Copy(io.Discard, res.Body); got != size || err != nil {
				tb.Error(got, err)
			}
		})
	}
	for range n {
		<-written
	}
	after := live()
	close(release)
	wg.Wait()
	return (after - before) / n
}

func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkHeld reports the memory that a response in flight holds.
func BenchmarkHeld(b *testing.B) {
	for _, s := range subjects {
		b.Run(s.name, func(b *testing.B) {
			var most int64
			for b.Loop() {
				most = max(most, held(b, s.wrap))
			}
			b.ReportMetric(float64(most), "B-held/response")
		})
	}
}

// TestHeldMemory is the promise: less than 16 KiB over the bare handler for a response of any size.
func TestHeldMemory(t *testing.T) {
	bare := held(t, subjects[0].wrap)
	limited := held(t, subjects[1].wrap)
	t.Logf("held for each response: bare %d bytes, with timeout %d", bare, limited)
	if limited-bare > 16<<10 {
		t.Errorf("holds %d bytes more than the bare handler, want less than 16 KiB", limited-bare)
	}
}
