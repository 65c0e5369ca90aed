package syncproto

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// BenchmarkPull is a pull of a thousand apps and of ten thousand. Held is what
// one request holds of the heap while its client does not read: it must not
// follow the size of the answer.
func BenchmarkPull(b *testing.B) {
	for _, apps := range []int{1_000, 10_000} {
		store, _ := openSQLite(b, full)
		h, srv := serve(b, store)
		write(b, store, user(0), apps)
		auth := login(b, h, user(0))
		b.Run(fmt.Sprint(apps), func(b *testing.B) {
			client, get := dial(b, srv), request("GET", target(user(0)), auth, "")
			b.ReportAllocs()
			for b.Loop() {
				n, err := client.send(get)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(n)
			}
			b.ReportMetric(held(h, auth), "held-B/request")
		})
	}
}

// held returns what a request holds of the heap halfway, on average of some.
func held(h *syncproto.Handler, auth string) float64 {
	const requests = 16
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	stuck, goOn := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			r := httptest.NewRequest("GET", target(user(0)), nil)
			r.Header.Set("Authorization", auth)
			h.ServeHTTP(&slowWriter{header: http.Header{}, stuck: stuck, goOn: goOn}, r)
		})
	}
	for range requests {
		<-stuck
	}
	during := heap()
	close(goOn)
	wg.Wait()
	return max(0, during-before) / requests
}

// slowWriter stops after its first 128 KiB until it is told to go on.
type slowWriter struct {
	header      http.Header
	n           int
	stuck, goOn chan struct{}
}

func (w *slowWriter) Header() http.Header { return w.header }
func (w *slowWriter) WriteHeader(int)     {}
func (w *slowWriter) Write(b []byte) (int, error) {
	before := w.n
	if w.n += len(b); before < 128<<10 && w.n >= 128<<10 {
		w.stuck <- struct{}{}
		<-w.goOn
	}
	return len(b), nil
}
