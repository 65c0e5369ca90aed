package syncproto_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// BenchmarkIdlePoll compares a pull without news, over loopback, with a handler
// that writes the same bytes and headers and does nothing else. In "turns" the
// two take turns, so that both see the same machine, and of-bare is the rate of the
// handler, by the medians, beside that of the other.
func BenchmarkIdlePoll(b *testing.B) {
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true})
	if err != nil {
		b.Fatal(err)
	}
	t := &testing.T{}
	s := &site{t: t, h: h}
	d := s.device("ann@example.com")
	until := d.push(`[{"origin":"a"}]`)
	query := "?since=" + until.String()
	same := d.get(query)
	body := same.Body.Bytes()
	bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hd := w.Header()
		for _, k := range []string{"Cache-Control", "Content-Type", "Etag", "Content-Length"} {
			hd[k] = []string{same.Header()[k][0]}
		}
		w.Write(body)
	})
	// serve returns what polls once.
	serve := func(b *testing.B, h http.Handler) func() {
		srv := httptest.NewServer(h)
		b.Cleanup(srv.Close)
		req, _ := http.NewRequest("GET", srv.URL+annURL+query, nil)
		req.Header.Set("Authorization", d.auth)
		client := srv.Client()
		return func() {
			res, err := client.Do(req)
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if n != int64(len(body)) || err != nil {
				b.Fatal(n, err)
			}
		}
	}
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"bare", bare}, {"handler", h}} {
		b.Run(c.name, func(b *testing.B) {
			poll := serve(b, c.h)
			b.ReportAllocs()
			for b.Loop() {
				poll()
			}
		})
	}
	b.Run("turns", func(b *testing.B) {
		polls := [2]func(){serve(b, bare), serve(b, h)}
		var took [2][]time.Duration
		for i := 0; b.Loop(); i++ {
			for j := range polls {
				n := (i + j) % 2
				start := time.Now()
				polls[n]()
				took[n] = append(took[n], time.Since(start))
			}
		}
		slices.Sort(took[0])
		slices.Sort(took[1])
		half := len(took[0]) / 2
		b.ReportMetric(float64(took[0][half])/float64(took[1][half]), "of-bare")
	})
}

// BenchmarkUsers is an idle poll and a push by one of ever more users: the cost
// must not grow with them. Pushes go round all of them, so that none waits for
// a tick.
func BenchmarkUsers(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		store := new(syncproto.Memory)
		keys := make([]syncproto.Key, n)
		write := syncproto.Write{Apps: []syncproto.App{{Origin: "a", Doc: []byte(`{"origin":"a"}`)}}}
		for i := range keys {
			keys[i] = syncproto.Key{User: strconv.Itoa(i) + "@example.com", Collection: "apps"}
			if _, err := store.Write(b.Context(), keys[i], write); err != nil {
				b.Fatal(err)
			}
		}
		b.Run("state/"+strconv.Itoa(n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := store.State(b.Context(), keys[i*7919%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("write/"+strconv.Itoa(n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := store.Write(b.Context(), keys[i*7919%n], write); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPull is a pull of a thousand apps, without the network.
func BenchmarkPull(b *testing.B) {
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true})
	if err != nil {
		b.Fatal(err)
	}
	s := &site{t: &testing.T{}, h: h}
	d := s.device("ann@example.com")
	body := []byte{'['}
	for i := range 1000 {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, `{"origin":"https://app`+strconv.Itoa(i)+`.example.com","last_modified":1323084512100,"manifest":{"name":"An app of some length"}}`...)
	}
	d.push(string(append(body, ']')))
	req := httptest.NewRequest("GET", annURL, nil)
	req.Header.Set("Authorization", d.auth)
	w := &nullWriter{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		w.n = 0
		h.ServeHTTP(w, req)
	}
	b.SetBytes(w.n)
}

type nullWriter struct {
	h http.Header
	n int64
}

func (w *nullWriter) Header() http.Header         { return w.h }
func (w *nullWriter) WriteHeader(int)             {}
func (w *nullWriter) Write(b []byte) (int, error) { w.n += int64(len(b)); return len(b), nil }

// BenchmarkIdlePollAlone is the handler's own part of it.
func BenchmarkIdlePollAlone(b *testing.B) {
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true})
	if err != nil {
		b.Fatal(err)
	}
	d := (&site{t: &testing.T{}, h: h}).device("ann@example.com")
	until := d.push(`[{"origin":"a"}]`)
	req := httptest.NewRequest("GET", annURL+"?since="+until.String(), nil)
	req.Header.Set("Authorization", d.auth)
	w := &nullWriter{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, req)
	}
}
