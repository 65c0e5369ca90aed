package timeout_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// The middleware beside the handler that it wraps. Compare the pairs; examples/bench has
// the same beside other libraries.
func BenchmarkHandler(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		payload := make([]byte, size)
		bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(payload) })
		limited := limiter(b, timeout.Config{Total: 10 * time.Second}).Handler(bare)
		for _, c := range []struct {
			name string
			h    http.Handler
		}{{"bare", bare}, {"limited", limited}} {
			b.Run(fmt.Sprintf("null/%dKiB/%s", size>>10, c.name), func(b *testing.B) {
				r, _ := http.NewRequest("GET", "http://site/", nil)
				w := nullWriter{http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					c.h.ServeHTTP(w, r)
				}
			})
		}
		for _, c := range []struct {
			name string
			h    http.Handler
		}{{"bare", bare}, {"limited", limited}} {
			b.Run(fmt.Sprintf("loopback/%dKiB/%s", size>>10, c.name), func(b *testing.B) { loopback(b, c.h, int64(size)) })
		}
	}
}

type nullWriter struct{ h http.Header }

func (w nullWriter) Header() http.Header              { return w.h }
func (w nullWriter) Write(p []byte) (int, error)      { return len(p), nil }
func (w nullWriter) WriteHeader(int)                  {}
func (w nullWriter) SetReadDeadline(time.Time) error  { return nil }
func (w nullWriter) SetWriteDeadline(time.Time) error { return nil }

func loopback(b *testing.B, h http.Handler, size int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: h}
	go server.Serve(l)
	defer server.Close()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	url := "http://" + l.Addr().String() + "/"
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		r, _ := http.NewRequest("GET", url, nil)
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
}

func BenchmarkDo(b *testing.B) {
	back := backend(b, timeout.BackendConfig{})
	fn := func(context.Context) error { return nil }
	b.ReportAllocs()
	for b.Loop() {
		if err := back.Do(b.Context(), fn); err != nil {
			b.Fatal(err)
		}
	}
}
