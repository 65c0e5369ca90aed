package timeout_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// ticks writes an event every 100 ms until its context ends or n are written, and says why it ended.
func ticks(n int, why chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			time.Sleep(time.Second)
		}
		for range n {
			io.WriteString(w, "tick\n")
			w.(http.Flusher).Flush()
			select {
			case <-time.After(100 * time.Millisecond):
			case <-r.Context().Done():
				why <- r.Context().Err()
				return
			}
		}
		why <- nil
	})
}

func TestStreams(t *testing.T) {
	for _, c := range []struct {
		name   string
		stream time.Duration
		ticks  int
		lines  int
		ended  error
	}{
		{"none", 0, 20, 2, context.DeadlineExceeded},
		{"bounded", time.Second, 20, 10, context.DeadlineExceeded},
		{"short enough", time.Second, 5, 5, nil},
		{"for ever", -1, 1000, 1000, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(s *site, serve func(http.Handler)) {
				why := make(chan error, 1)
				l := limiter(s.T, timeout.Config{Stream: c.stream, WriteIdle: 50 * time.Millisecond})
				serve(l.Handler(ticks(c.ticks, why)))
				if res, _, took := s.get("/late"); res.StatusCode != 503 || took != total {
					s.Errorf("before the first byte: %v after %v", res.Status, took)
				}
				time.Sleep(time.Second)
				<-why
				_, body, _ := s.get("/")
				if got := strings.Count(body, "tick\n"); got != c.lines {
					s.Errorf("got %d lines, want %d", got, c.lines)
				}
				if err := <-why; err != c.ended {
					s.Errorf("the context ended with %v, want %v", err, c.ended)
				}
			})
		})
	}
}

// A stream whose handler goes on past its end is cut off then.
func TestStreamIsCutOff(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{Stream: time.Second})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(100 * time.Millisecond)
			w.(http.Flusher).Flush()
			hang(w, r)
		})))
		start := time.Now()
		res, err := s.client.Get("http://site/")
		if err != nil {
			s.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.ReadAll(res.Body); err == nil || time.Since(start) != 1100*time.Millisecond {
			s.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// The context of a streaming handler is like any other to what is made from it.
func TestStreamContext(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		type key struct{}
		l := limiter(s.T, timeout.Config{Stream: time.Second})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if left, ok := timeout.Remaining(r.Context()); !ok || left != 190*time.Millisecond {
				s.Errorf("%v left", left)
			}
			ctx, cancel := context.WithCancel(context.WithValue(r.Context(), key{}, 1))
			defer cancel()
			<-ctx.Done()
			var e *timeout.Error
			if ctx.Err() != context.DeadlineExceeded || !errors.As(context.Cause(ctx), &e) {
				s.Errorf("the child ended with %v because of %v", ctx.Err(), context.Cause(ctx))
			}
			io.WriteString(w, "stale")
		})))
		if _, body, took := s.get("/"); body != "stale" || took != 190*time.Millisecond {
			s.Errorf("got %q after %v", body, took)
		}

		ctx, cancel := context.WithTimeout(s.Context(), 50*time.Millisecond)
		defer cancel()
		left := make(chan error, 1)
		s.server.Handler = l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			left <- r.Context().Err()
		}))
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://site/", nil)
		s.client.Do(r)
		if err := <-left; err != context.Canceled {
			s.Errorf("when the client left: %v", err)
		}
	})
}

func TestSlowSenderIsAnswered408(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{Total: time.Hour, ReadIdle: 100 * time.Millisecond})
		serve(l.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			time.Sleep(time.Second) // longer than any deadline that was set for the body
			if err := r.Context().Err(); err != nil {
				return err
			}
			_, err = w.Write(body)
			return err
		}))
		send := func(pause time.Duration, end bool) (*http.Response, string, time.Duration) {
			start := time.Now()
			pr, pw := io.Pipe()
			defer pr.Close()
			go func() {
				for range 5 {
					io.WriteString(pw, "x")
					time.Sleep(pause)
				}
				if end {
					pw.Close()
				}
			}()
			res, err := s.client.Post("http://site/", "text/plain", pr)
			if err != nil {
				s.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				s.Error(err)
			}
			return res, string(body), time.Since(start)
		}
		if res, body, _ := send(80*time.Millisecond, true); res.StatusCode != 200 || body != "xxxxx" {
			s.Errorf("slow: %v %q", res.Status, body)
		}
		res, body, took := send(0, false)
		if res.StatusCode != 408 || res.Header.Get("Retry-After") != "" || took != 100*time.Millisecond || !strings.Contains(body, "Incident") {
			s.Errorf("stalled: %v %q after %v", res.Status, body, took)
		}
		synctest.Wait()
		if got := l.Stats(); got != (timeout.Stats{}) {
			s.Errorf("%+v", got)
		}
	})
}

// lateEnd is a body that comes to its end in its own time.
type lateEnd struct{ io.ReadCloser }

func (lateEnd) Read([]byte) (int, error) {
	time.Sleep(time.Second)
	return 0, io.EOF
}

// What is left of a handler after its answer does not touch the response, which is the
// server's again: on HTTP/2 that would be a panic.
func TestBodyThatEndsAfterTheAnswer(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		var seen events
		l := limiter(s.T, timeout.Config{ReadIdle: 500 * time.Millisecond, OnEvent: seen.add})
		inner := l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body) }))
		serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = lateEnd{r.Body}
			inner.ServeHTTP(w, r)
		}))
		res, err := s.client.Post("http://site/", "text/plain", strings.NewReader("x"))
		if err != nil {
			s.Fatal(err)
		}
		res.Body.Close()
		time.Sleep(time.Minute)
		if got := seen.kinds(); res.StatusCode != 503 || got != "timeout deadline" {
			s.Errorf("got %v and %s", res.Status, got)
		}
	})
}

func TestKeep(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		serve(limiter(s.T, timeout.Config{}).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "7")
			timeout.Keep(r.Context(), "x-request-id")
			w.Header().Set("X-Draft", "1")
			hang(w, r)
		})))
		res, _, _ := s.get("/")
		if h := res.Header; res.StatusCode != 503 || h.Get("X-Request-Id") != "7" || h.Get("X-Draft") != "" {
			s.Errorf("got %v %v", res.Status, h)
		}
		timeout.Keep(s.Context(), "X") // no request: nothing to do
	})
}

func TestBudgetOfARoute(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{
			Budget: func(r *http.Request) time.Duration {
				if r.URL.Path == "/report" {
					return time.Second
				}
				return 0
			},
			Trusted: func(r *http.Request) bool { return r.Header.Get("X-Peer") == "gateway" },
		})
		lefts := make(chan time.Duration, 1)
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			left, _ := timeout.Remaining(r.Context())
			lefts <- left
			hang(w, r)
		})))
		for _, c := range []struct {
			path, peer, header string
			want               time.Duration
		}{
			{"/", "", "", total},
			{"/report", "", "", time.Second},
			{"/", "gateway", "80", 80 * time.Millisecond},
			{"/", "gateway", "5000", total},
			{"/report", "gateway", "5000", time.Second},
			{"/", "stranger", "1", total},
			{"/", "gateway", "-1", total},
			{"/", "gateway", "0", total},
			{"/", "gateway", "99999999999999999999", total},
			{"/", "gateway", "1s", total},
		} {
			r, _ := http.NewRequest("GET", "http://site"+c.path, nil)
			r.Header.Set("X-Peer", c.peer)
			if c.header != "" {
				r.Header.Set(timeout.BudgetHeader, c.header)
			}
			start := time.Now()
			res, err := s.client.Do(r)
			if err != nil {
				s.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if took, left := time.Since(start), <-lefts; res.StatusCode != 503 || took != c.want || left != c.want*95/100 {
				s.Errorf("%+v: %v after %v, of which the handler had %v", c, res.Status, took, left)
			}
		}
	})
}

// What one service has left is what the next one hears.
func TestBudgetTravels(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Header.Get(timeout.BudgetHeader))
		}))
		b := backend(s.T, timeout.BackendConfig{Call: 100 * time.Millisecond, Margin: 10 * time.Millisecond})
		client := &http.Client{Transport: b.Transport(s.client.Transport)}
		for budget, want := range map[time.Duration]string{time.Hour: "90", 50 * time.Millisecond: "40", 5 * time.Millisecond: "1"} {
			ctx, cancel := timeout.WithBudget(s.Context(), budget)
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://site/", nil)
			res, err := client.Do(r)
			if err != nil {
				s.Fatal(err)
			}
			got, _ := io.ReadAll(res.Body)
			res.Body.Close()
			cancel()
			if string(got) != want || r.Header.Get(timeout.BudgetHeader) != "" {
				s.Errorf("with %v left the backend heard %q, want %q", budget, got, want)
			}
		}
	})
}

func TestProblem(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		var seen events
		serve(limiter(s.T, timeout.Config{Respond: timeout.Problem, OnEvent: seen.add}).Handler(http.HandlerFunc(hang)))
		res, body, _ := s.get("/")
		synctest.Wait() // the event comes after the answer
		want := `{"title":"Service Unavailable","status":503,"detail":"The server cannot answer in time. Please try again later.","instance":"urn:incident:` +
			strings.ToLower(seen.take()[0].Incident) + "\"}\n"
		if res.StatusCode != 503 || res.Header.Get("Content-Type") != "application/problem+json" || body != want {
			s.Errorf("got %v %v %q", res.Status, res.Header, body)
		}
	})
}

// A websocket, say: what was hijacked lives as long as a stream may.
func TestHijackedStream(t *testing.T) {
	on(t, 1, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{Stream: -1})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				s.Error(err)
				return
			}
			defer conn.Close()
			select {
			case <-r.Context().Done():
				io.WriteString(conn, r.Context().Err().Error())
			case <-time.After(time.Hour):
				io.WriteString(conn, "an hour")
			}
		})))
		c := s.dial()
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: site\r\n\r\n")
		if got, err := io.ReadAll(c); string(got) != "an hour" || err != nil {
			s.Errorf("got %q, %v", got, err)
		}
	})
}
