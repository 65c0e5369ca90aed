package timeout_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

const total = 200 * time.Millisecond

// limiter returns one with a total of 200 ms, of which 10 ms are grace.
func limiter(t testing.TB, c timeout.Config) *timeout.Limiter {
	t.Helper()
	if c.Total == 0 {
		c.Total = total
	}
	l, err := timeout.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// hang ignores everything for a virtual minute.
func hang(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) }

// get returns the response, its body, and when its end was reached.
func (s *site) get(path string) (*http.Response, string, time.Duration) {
	s.Helper()
	start := time.Now()
	res, err := s.client.Get("http://site" + path)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.Errorf("reading the body: %v", err)
	}
	return res, string(text), time.Since(start)
}

func TestAnswersForAHandlerThatHangs(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(t, timeout.Config{})
		serve(l.Handler(http.HandlerFunc(hang)))
		res, body, took := s.get("/")
		if res.StatusCode != 503 || took != total {
			s.Errorf("got %v after %v, want 503 after %v", res.Status, took, total)
		}
		for key, want := range map[string]string{
			"Retry-After":            "120",
			"Cache-Control":          "no-store",
			"Content-Type":           "text/plain; charset=utf-8",
			"X-Content-Type-Options": "nosniff",
			"Content-Length":         fmt.Sprint(len(body)),
		} {
			if got := res.Header.Get(key); got != want {
				s.Errorf("%s: %q, want %q", key, got, want)
			}
		}
		if res.Close != (res.ProtoMajor == 1) {
			s.Errorf("Connection: close = %v on %s", res.Close, res.Proto)
		}
		if !strings.HasPrefix(body, "503 Service Unavailable\n") || !strings.Contains(body, "\nIncident: ") {
			s.Errorf("body: %q", body)
		}
		synctest.Wait() // it is counted once it was answered
		if got := l.Stats(); got.Timeouts != 1 || got.InFlight != 1 || got.Abandoned != 1 {
			s.Errorf("while the handler goes on: %+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := l.Stats(); got != (timeout.Stats{Timeouts: 1}) {
			s.Errorf("afterwards: %+v", got)
		}
	})
}

func TestHeadGetsNoBody(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		serve(limiter(t, timeout.Config{}).Handler(http.HandlerFunc(hang)))
		res, err := s.client.Head("http://site/")
		if err != nil {
			s.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if res.StatusCode != 503 || len(body) != 0 || err != nil || res.ContentLength <= 0 {
			s.Errorf("got %v, Content-Length %d, body %q, %v", res.Status, res.ContentLength, body, err)
		}
	})
}

func TestHandlerAnswersItselfInItsGrace(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		serve(limiter(t, timeout.Config{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			<-ctx.Done()
			var e *timeout.Error
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) || !errors.As(context.Cause(ctx), &e) || e.Limit != 190*time.Millisecond {
				s.Errorf("ended with %v because of %v", ctx.Err(), context.Cause(ctx))
			}
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			if child.Err() != context.DeadlineExceeded {
				s.Errorf("a context made from it has %v", child.Err())
			}
			io.WriteString(w, "stale")
		})))
		for range 20 {
			if res, body, took := s.get("/"); res.StatusCode != 200 || body != "stale" || took != 190*time.Millisecond {
				s.Fatalf("got %v %q after %v", res.Status, body, took)
			}
		}
	})
}

func TestStalledUploadIsAnswered(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		var readErr atomic.Value
		serve(limiter(t, timeout.Config{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			readErr.Store(err)
		})))
		start := time.Now()
		body, stuck := io.Pipe()
		defer stuck.Close()
		go stuck.Write([]byte("the first half"))
		res, err := s.client.Post("http://site/", "text/plain", body)
		if err != nil {
			s.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if res.StatusCode != 503 || err != nil || time.Since(start) != total {
			s.Errorf("got %v %q, %v after %v", res.Status, text, err, time.Since(start))
		}
		synctest.Wait()
		if err, _ := readErr.Load().(error); !errors.Is(err, os.ErrDeadlineExceeded) {
			s.Errorf("the handler's read returned %v", err)
		}
	})
}

// A response that has begun ends in an error for the client, at the deadline and not when
// its handler returns.
func TestResponseThatHasBegunIsCutOff(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		var seen events
		var after atomic.Value
		l := limiter(t, timeout.Config{OnEvent: seen.add})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
			time.Sleep(time.Minute)
			_, err := io.WriteString(w, "too late")
			after.Store(err)
		})))
		start := time.Now()
		res, err := s.client.Get("http://site/")
		if err != nil {
			s.Fatal(err)
		}
		if took := time.Since(start); took != 0 {
			s.Errorf("the first byte took %v", took)
		}
		body, err := io.ReadAll(res.Body)
		if res.StatusCode != 200 || string(body) != "begun" || err == nil || time.Since(start) != total {
			s.Errorf("got %v %q, error %v, after %v; want an error after %v", res.Status, body, err, time.Since(start), total)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err, _ := after.Load().(error); !errors.Is(err, http.ErrHandlerTimeout) {
			s.Errorf("a write afterwards returned %v", err)
		}
		if got := seen.kinds(); got != "aborted deadline" {
			s.Errorf("events: %s", got)
		}
		if s.log.String() != "" {
			s.Errorf("the server logged %s", s.log)
		}
	})
}

func TestStalledReaderIsCutOff(t *testing.T) {
	for _, c := range []struct {
		name string
		conf timeout.Config
		want time.Duration
	}{
		{"total", timeout.Config{}, total},
		{"idle", timeout.Config{Total: time.Minute, WriteIdle: 100 * time.Millisecond}, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(s *site, serve func(http.Handler)) {
				returned := make(chan time.Duration, 1)
				failed := make(chan error, 1)
				l := limiter(t, c.conf)
				serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					start := time.Now()
					time.AfterFunc(c.want/2, func() { // which says nothing about the reader
						http.NewResponseController(w).SetReadDeadline(start.Add(time.Hour))
					})
					for {
						if _, err := w.Write(make([]byte, 1<<20)); err != nil {
							failed <- err
							returned <- time.Since(start)
							return
						}
					}
				})))
				res, err := s.client.Get("http://site/") // and do not read
				if err != nil {
					s.Fatal(err)
				}
				defer res.Body.Close()
				if took := <-returned; took != c.want {
					s.Errorf("the handler was let go after %v, want %v", took, c.want)
				}
				if err := <-failed; !errors.Is(err, context.DeadlineExceeded) {
					s.Errorf("its write returned %v", err)
				}
				synctest.Wait()
				if got := l.Stats(); got.Aborted != 1 || got.InFlight != 0 || got.Abandoned != 0 {
					s.Errorf("%+v", got)
				}
			})
		})
	}
}

// With WriteIdle, what matters is that the client goes on reading, not how long it takes in all.
func TestSlowReaderIsServed(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		file := filepath.Join(s.TempDir(), "file")
		if err := os.WriteFile(file, make([]byte, 4<<20), 0o600); err != nil {
			s.Fatal(err)
		}
		l := limiter(t, timeout.Config{Total: time.Hour, WriteIdle: 100 * time.Millisecond})
		mux := http.NewServeMux()
		mux.HandleFunc("/bytes", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 4<<20)) })
		mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
		serve(l.Handler(mux))
		for _, path := range []string{"/bytes", "/file"} {
			res, err := s.client.Get("http://site" + path)
			if err != nil {
				s.Fatal(err)
			}
			var n int
			buf := make([]byte, 32<<10)
			for {
				m, err := io.ReadFull(res.Body, buf)
				n += m
				if err == io.EOF {
					break
				}
				if err != nil {
					s.Fatalf("%s: %v after %d bytes", path, err, n)
				}
				time.Sleep(20 * time.Millisecond)
			}
			if n != 4<<20 {
				s.Errorf("%s: got %d bytes", path, n)
			}
			res.Body.Close()
		}
		if got := l.Stats(); got.Aborted != 0 {
			s.Errorf("%+v", got)
		}
	})
}

func TestInformationalResponses(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		mux := http.NewServeMux()
		mux.HandleFunc("/missing", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			http.NotFound(w, r)
		})
		mux.HandleFunc("/hang", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			hang(w, r)
		})
		outside := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "7")
			limiter(t, timeout.Config{}).Handler(mux).ServeHTTP(w, r)
		})
		serve(outside)
		for path, want := range map[string]int{"/missing": 404, "/hang": 503} {
			var hints []string
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
					hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
					return nil
				},
			})
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://site"+path, nil)
			res, err := s.client.Do(r)
			if err != nil {
				s.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != want || len(hints) != 1 || hints[0] != "103 </style.css>; rel=preload" {
				s.Errorf("%s: got %v after %q", path, res.Status, hints)
			}
			if res.Header.Get("Link") != "" || res.Header.Get("X-Request-Id") != "7" {
				s.Errorf("%s: headers %v", path, res.Header)
			}
		}
	})
}

func TestPanics(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		var seen events
		l := limiter(t, timeout.Config{OnEvent: seen.add})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				hang(w, r)
			}
			panicInHandler()
		})))
		if _, err := s.client.Get("http://site/"); err == nil {
			s.Error("a panic gave a response")
		}
		synctest.Wait()
		if got := s.log.String(); !strings.Contains(got, "panicInHandler") || !strings.Contains(got, "ouch") {
			s.Errorf("the log lacks the value or its stack:\n%s", got)
		}
		s.log.Reset()
		if res, _, _ := s.get("/late"); res.StatusCode != 503 {
			s.Errorf("got %v", res.Status)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := s.log.String(); !strings.Contains(got, "panicInHandler") || !strings.Contains(got, "ouch") {
			s.Errorf("the log of a late panic lacks the value or its stack:\n%s", got)
		}
		if got := seen.take(); len(got) != 2 || got[1].Kind != timeout.KindPanic || got[1].Panic != "ouch" || !strings.Contains(string(got[1].Stack), "panicInHandler") {
			s.Errorf("events: %+v", got)
		}
		if got := l.Stats(); got.InFlight != 0 || got.Abandoned != 0 {
			s.Errorf("%+v", got)
		}
	})
}

//go:noinline
func panicInHandler() { panic("ouch") }

func TestClientThatLeft(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		var seen events
		l := limiter(t, timeout.Config{OnEvent: seen.add})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/obeys" {
				<-r.Context().Done()
				if err := r.Context().Err(); err != context.Canceled {
					s.Errorf("the context ended with %v", err)
				}
				return
			}
			hang(w, r)
		})))
		for _, path := range []string{"/obeys", "/ignores"} {
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://site"+path, nil)
			if _, err := s.client.Do(r); err == nil {
				s.Error("got a response")
			}
			cancel()
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if got := seen.kinds(); got != "gone" && got != "gone deadline" {
				s.Errorf("%s: events %s", path, got)
			}
		}
		if got := l.Stats(); got != (timeout.Stats{Gone: 2}) {
			s.Errorf("%+v", got)
		}
	})
}

// No deadline set for one request may end the next one on its connection.
func TestConnectionIsKept(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		serve(limiter(t, timeout.Config{WriteIdle: 50 * time.Millisecond}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			time.Sleep(150 * time.Millisecond)
			io.WriteString(w, r.RemoteAddr)
		})))
		var addr string
		for i := range 10 {
			res, err := s.client.Post("http://site/", "text/plain", strings.NewReader("body"))
			if err != nil {
				s.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.StatusCode != 200 {
				s.Fatalf("request %d: %v %v", i, res.Status, err)
			}
			if addr == "" {
				addr = string(got)
			}
			if addr != string(got) {
				s.Errorf("request %d came on another connection", i)
			}
			time.Sleep(time.Second) // past every deadline of the request before
		}
	})
}

func TestHijackedConnectionIsLeftAlone(t *testing.T) {
	on(t, 1, func(s *site, serve func(http.Handler)) {
		l := limiter(t, timeout.Config{})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				s.Error(err)
				return
			}
			defer conn.Close()
			if _, err := w.Write(nil); !errors.Is(err, http.ErrHijacked) {
				s.Errorf("Write: %v", err)
			}
			line, _ := buf.ReadString('\n')
			time.Sleep(10 * total)
			io.WriteString(conn, "echo "+line)
		})))
		c := s.dial()
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: site\r\n\r\nhello\n")
		got, err := bufio.NewReader(c).ReadString('\n')
		if got != "echo hello\n" || err != nil {
			s.Errorf("got %q, %v", got, err)
		}
		synctest.Wait()
		if got := l.Stats(); got != (timeout.Stats{}) {
			s.Errorf("%+v", got)
		}
	})
}

func TestTrailers(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		serve(limiter(t, timeout.Config{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			h.Set("X-Sum", "42")
			h.Set(http.TrailerPrefix+"X-More", "43")
		})))
		res, _, _ := s.get("/")
		if res.Trailer.Get("X-Sum") != "42" || res.Trailer.Get("X-More") != "43" {
			s.Errorf("trailers: %v", res.Trailer)
		}
	})
}

func TestHeadersWithoutAWrite(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(t, timeout.Config{})
		serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Outer", "1")
			w.Header().Set("X-Dropped", "1")
			l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if w.Header().Get("X-Outer") != "1" {
					s.Error("the headers of outer middleware are hidden")
				}
				w.Header().Set("X-Inner", "1")
				w.Header().Del("X-Dropped")
			})).ServeHTTP(w, r)
		}))
		res, _, _ := s.get("/")
		if h := res.Header; res.StatusCode != 200 || h.Get("X-Outer") != "1" || h.Get("X-Inner") != "1" || h.Get("X-Dropped") != "" {
			s.Errorf("got %v %v", res.Status, h)
		}
	})
}

// A handler that aborts because its response was cut off, as httputil.ReverseProxy does,
// has done nothing that a programmer should look at.
func TestAbortAfterTheDeadlineIsNoPanic(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		var seen events
		l := limiter(t, timeout.Config{OnEvent: seen.add})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hang(w, r)
			if _, err := io.WriteString(w, "too late"); err != nil {
				panic(http.ErrAbortHandler)
			}
		})))
		if res, _, _ := s.get("/"); res.StatusCode != 503 {
			s.Errorf("got %v", res.Status)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := seen.kinds(); got != "timeout deadline" {
			s.Errorf("events: %s", got)
		}
		if s.log.String() != "" {
			s.Errorf("the server logged %s", s.log)
		}
	})
}
