package backoff_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// serve runs a handler under a policy with a value in a real server.
func serve(t *testing.T, http2 bool, next http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(ease(t, backoff.Policy{Current: fixed(seconds(20))}, next))
	if http2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *httptest.Server) (*http.Response, string) {
	t.Helper()
	r, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

// ways are the ways in which a handler can begin its response.
var ways = map[string]http.HandlerFunc{
	"nothing":     func(http.ResponseWriter, *http.Request) {},
	"WriteHeader": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) },
	"Write":       func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("x")) },
	"WriteString": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") },
	"Flush":       func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
	"FlushError":  func(w http.ResponseWriter, _ *http.Request) { http.NewResponseController(w).Flush() },
	"Copy":        func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, io.LimitReader(strings.NewReader("x"), 9)) },
}

func TestEveryWayToBeginAResponseCarriesTheHeader(t *testing.T) {
	for name, way := range ways {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/http2=%v", name, http2), func(t *testing.T) {
				r, _ := get(t, serve(t, http2, way))
				if got := r.Header["X-Sync-Poll"]; !reflect.DeepEqual(got, []string{"20"}) {
					t.Errorf("X-Sync-Poll: %q", got)
				}
			})
		}
	}
}

// optional lists what code asks ResponseWriters for.
func optional(w http.ResponseWriter) map[string]bool {
	_, f := w.(http.Flusher)
	_, h := w.(http.Hijacker)
	_, r := w.(io.ReaderFrom)
	_, s := w.(io.StringWriter)
	rc := http.NewResponseController(w)
	return map[string]bool{
		"Flusher": f, "Hijacker": h, "ReaderFrom": r, "StringWriter": s,
		"SetReadDeadline":  rc.SetReadDeadline(time.Time{}) == nil,
		"SetWriteDeadline": rc.SetWriteDeadline(time.Time{}) == nil,
		"EnableFullDuplex": rc.EnableFullDuplex() == nil,
		"Flush":            rc.Flush() == nil,
	}
}

func TestTheWrapperOffersWhatItWraps(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		var wrapped, bare map[string]bool
		get(t, serve(t, http2, func(w http.ResponseWriter, _ *http.Request) { wrapped = optional(w) }))
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { bare = optional(w) }))
		if s.EnableHTTP2 = http2; http2 {
			s.StartTLS()
		} else {
			s.Start()
		}
		get(t, s)
		s.Close()
		if !reflect.DeepEqual(wrapped, bare) {
			t.Errorf("http2=%v: wrapper %v\nbare %v", http2, wrapped, bare)
		}
	}

	var wrapped map[string]bool
	h := ease(t, backoff.Policy{Current: fixed(seconds(1))}, func(w http.ResponseWriter, _ *http.Request) { wrapped = optional(w) })
	h.ServeHTTP(struct{ http.ResponseWriter }{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
	if wrapped["Flusher"] || wrapped["Hijacker"] || wrapped["ReaderFrom"] || wrapped["Flush"] {
		t.Errorf("over a writer with nothing optional: %v", wrapped)
	}
}

// reads records what reached it through ReadFrom.
type reads struct {
	http.ResponseWriter
	http.Hijacker
	http.Flusher
	from io.Reader
}

func (r *reads) ReadFrom(from io.Reader) (int64, error) {
	r.from = from
	return io.Copy(r.ResponseWriter, from)
}

// A file must arrive as a file, or the server cannot use sendfile.
func TestReadFromGetsTheReaderItself(t *testing.T) {
	file, err := os.Open("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rec := httptest.NewRecorder()
	w := &reads{ResponseWriter: rec, Flusher: rec}
	h := ease(t, backoff.Policy{Current: fixed(seconds(20))}, func(w http.ResponseWriter, _ *http.Request) {
		w.(io.ReaderFrom).ReadFrom(file)
	})
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.from != io.Reader(file) {
		t.Errorf("ReadFrom got a %T", w.from)
	}
	if rec.Header().Get("X-Sync-Poll") != "20" || rec.Body.Len() == 0 {
		t.Errorf("header %v, %d bytes", rec.Header(), rec.Body.Len())
	}
}

func TestInformationalResponsesPass(t *testing.T) {
	s := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</x.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusNotFound)
	})
	var early textproto.MIMEHeader
	req, _ := http.NewRequest("GET", s.URL, nil)
	req = req.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error { early = h; return nil },
	}))
	r, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if early.Get("Link") == "" || early.Get("X-Sync-Poll") != "" {
		t.Errorf("103 had %v", early)
	}
	if r.StatusCode != 404 || r.Header.Get("X-Sync-Poll") != "" {
		t.Errorf("then %d with %v", r.StatusCode, r.Header)
	}
}

func TestHijackedConnectionsAreLeftAlone(t *testing.T) {
	s := serve(t, false, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmine")
		rw.Flush()
	})
	r, body := get(t, s)
	if body != "mine" || r.Header.Get("X-Sync-Poll") != "" {
		t.Errorf("got %q with %v", body, r.Header)
	}
}

func TestPanicsPass(t *testing.T) {
	h := ease(t, backoff.Policy{Current: fixed(seconds(20))}, func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestWriteErrorsPass(t *testing.T) {
	broken := errors.New("broken")
	h := ease(t, backoff.Policy{Current: fixed(seconds(20))}, func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write(nil); err != broken {
			t.Errorf("Write: %v", err)
		}
		if _, err := io.WriteString(w, "x"); err != broken {
			t.Errorf("WriteString: %v", err)
		}
	})
	h.ServeHTTP(failing{httptest.NewRecorder(), broken}, httptest.NewRequest("GET", "/", nil))
}

type failing struct {
	http.ResponseWriter
	err error
}

func (f failing) Write([]byte) (int, error) { return 0, f.err }
