package syncproto_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// BenchmarkIdlePoll compares a pull without news, over loopback, with a handler
// that writes the same bytes and headers and does nothing else. The two take
// turns, so that both see the same machine.
func BenchmarkIdlePoll(b *testing.B) {
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: syncproto.PlainVerifier{}, Development: true})
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
	for _, c := range []struct {
		name string
		h    http.Handler
	}{{"bare", bare}, {"handler", h}, {"bare", bare}, {"handler", h}} {
		b.Run(c.name, func(b *testing.B) {
			srv := httptest.NewServer(c.h)
			defer srv.Close()
			req, _ := http.NewRequest("GET", srv.URL+annURL+query, nil)
			req.Header.Set("Authorization", d.auth)
			client := srv.Client()
			b.ReportAllocs()
			for b.Loop() {
				res, err := client.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
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
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: syncproto.PlainVerifier{}, Development: true})
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
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: syncproto.PlainVerifier{}, Development: true})
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
