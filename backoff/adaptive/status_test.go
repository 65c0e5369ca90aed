package adaptive

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheHandlersWriterOffersWhatTheServersDoes(t *testing.T) {
	c := controller(t, Config{MaxShed: 0.9})
	for _, http2 := range []bool{false, true} {
		check := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, flush := w.(http.Flusher)
			_, hijack := w.(http.Hijacker)
			_, readFrom := w.(io.ReaderFrom)
			if !flush || hijack == http2 || readFrom == http2 {
				t.Errorf("http2=%v: Flush %v, Hijack %v, ReadFrom %v", http2, flush, hijack, readFrom)
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("Flush: %v", err)
			}
			io.Copy(w, io.LimitReader(strings.NewReader("copied"), 100))
			io.WriteString(w, ", written")
		})
		s := httptest.NewUnstartedServer(c.Handler(check))
		if s.EnableHTTP2 = http2; http2 {
			s.StartTLS()
		} else {
			s.Start()
		}
		r, err := s.Client().Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || string(body) != "copied, written" {
			t.Errorf("http2=%v: %q, %v", http2, body, err)
		}
		s.Close()
	}
}

func TestTheFinalStatusCounts(t *testing.T) {
	for _, c := range []struct {
		codes []int
		want  int
	}{{nil, 0}, {[]int{103, 503}, 503}, {[]int{200, 500}, 200}} {
		w, code := watch(httptest.NewRecorder())
		for _, n := range c.codes {
			w.WriteHeader(n)
		}
		if *code != c.want {
			t.Errorf("after %v: %d", c.codes, *code)
		}
	}
}
