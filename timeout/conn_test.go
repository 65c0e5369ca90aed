package timeout_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/timeout"
)

// wire returns the two ends of a connection, the first with the limits of b.
func wire(t *testing.T, b *timeout.Backend) (client, server net.Conn) {
	t.Helper()
	near, far := memnet.Pipe()
	t.Cleanup(func() { near.Close(); far.Close() })
	return b.Conn(near), far
}

func TestConnLimitsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Call: 100 * time.Millisecond})
		c, far := wire(t, b)
		buf := make([]byte, 16)

		// Silence between exchanges is no limit's business.
		time.AfterFunc(time.Hour, func() { far.Write([]byte("hello")) })
		if _, err := c.Read(buf); err != nil {
			t.Fatalf("an idle Read: %v", err)
		}
		io.WriteString(c, "search")
		start := time.Now()
		_, err := c.Read(buf)
		var e *timeout.Error
		if !errors.As(err, &e) || e.Reason != timeout.ReasonDeadline || time.Since(start) != 100*time.Millisecond {
			t.Fatalf("got %v after %v", err, time.Since(start))
		}
		if nerr, ok := err.(net.Error); !ok || !nerr.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v is no timeout of a connection", err)
		}
	})
}

// Clients with a goroutine that always reads, as for LDAP and HTTP, are limited too.
func TestReadThatWaitsIsHeldToALaterWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Call: 100 * time.Millisecond})
		c, _ := wire(t, b)
		failed := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 16))
			failed <- err
		}()
		time.Sleep(time.Hour)
		io.WriteString(c, "search")
		start := time.Now()
		err := <-failed
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestConnLimitsSilenceInAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Call: time.Second, Idle: 30 * time.Millisecond})
		c, far := wire(t, b)
		go func() {
			io.ReadFull(far, make([]byte, 3))
			for range 10 { // slow, but not silent
				time.Sleep(20 * time.Millisecond)
				far.Write([]byte("x"))
			}
		}()
		io.WriteString(c, "get")
		var n int
		var err error
		buf := make([]byte, 16)
		for err == nil {
			var m int
			m, err = c.Read(buf)
			n += m
		}
		var e *timeout.Error
		if n != 10 || !errors.As(err, &e) || e.Reason != timeout.ReasonIdle || e.Elapsed != 30*time.Millisecond {
			t.Errorf("got %d bytes, then %v", n, err)
		}
	})
}

func TestConnLimitsWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Call: 100 * time.Millisecond})
		c, _ := wire(t, b)
		start := time.Now()
		_, err := c.Write(make([]byte, 64<<20)) // nobody reads
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// A deadline of the user that comes first gives the error that it always gave.
func TestConnKeepsTheUsersDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Call: 100 * time.Millisecond})
		c, _ := wire(t, b)
		var e *timeout.Error
		io.WriteString(c, "get")
		c.SetReadDeadline(time.Now().Add(40 * time.Millisecond))
		start := time.Now()
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &e) || time.Since(start) != 40*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		c.SetDeadline(time.Now().Add(time.Hour))
		_, err = c.Read(make([]byte, 1))
		if !errors.As(err, &e) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		c.SetWriteDeadline(time.Now().Add(-time.Second))
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestConnOffersWhatItWraps(t *testing.T) {
	b := backend(t, timeout.BackendConfig{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	received := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		received <- n
	}()
	c, err := b.DialContext(nil)(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(syscall.Conn); !ok {
		t.Error("no SyscallConn")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, 3*piece+7), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := c.(io.ReaderFrom).ReadFrom(f); n != 3*piece+7 || err != nil {
		t.Errorf("ReadFrom: %d, %v", n, err)
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	if n := <-received; n != 3*piece+7 {
		t.Errorf("received %d bytes", n)
	}

	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	switch b.Conn(near).(type) {
	case io.ReaderFrom, syscall.Conn, interface{ CloseWrite() error }:
		t.Error("offers what net.Pipe does not have")
	}
}

const piece = 64 << 10

func TestDialIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Dial: 100 * time.Millisecond, Call: time.Second})
		dial := b.DialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		var e *timeout.Error
		_, err := dial(t.Context(), "tcp", "black.hole:389")
		if !errors.As(err, &e) || e.Reason != timeout.ReasonDial || e.Elapsed != 100*time.Millisecond {
			t.Errorf("got %v", err)
		}
		ctx, cancel := timeout.WithBudget(t.Context(), 30*time.Millisecond)
		defer cancel()
		if _, err = dial(ctx, "tcp", "black.hole:389"); !errors.As(err, &e) || e.Limit != 30*time.Millisecond {
			t.Errorf("got %v", err)
		}
		if _, err = dial(ctx, "tcp", "black.hole:389"); !errors.As(err, &e) || e.Reason != timeout.ReasonBudget {
			t.Errorf("got %v", err)
		}
		refused := backend(t, timeout.BackendConfig{}).DialContext(func(context.Context, string, string) (net.Conn, error) {
			return nil, syscall.ECONNREFUSED
		})
		if _, err := refused(t.Context(), "tcp", "x"); err != syscall.ECONNREFUSED {
			t.Errorf("got %v", err)
		}
	})
}

func TestTransport(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		mux := http.NewServeMux()
		mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") })
		mux.HandleFunc("/hang", hang)
		mux.HandleFunc("/stall", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			hang(w, r)
		})
		mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
			for range 20 {
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		})
		mux.HandleFunc("/empty", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
		serve(mux)
		b := backend(s.T, timeout.BackendConfig{Name: "tokens", Call: 100 * time.Millisecond, Idle: 50 * time.Millisecond, Slots: 1})
		client := &http.Client{Transport: b.Transport(s.client.Transport)}
		fetch := func(ctx context.Context, path string) (string, time.Duration, error) {
			start := time.Now()
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://site"+path, nil)
			res, err := client.Do(r)
			if err != nil {
				return "", time.Since(start), err
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			return string(body), time.Since(start), err
		}
		var e *timeout.Error
		for range 3 {
			if body, _, err := fetch(s.Context(), "/ok"); body != "ok" || err != nil {
				s.Fatalf("got %q, %v", body, err)
			}
		}
		reused := true
		trace := httptrace.WithClientTrace(s.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }})
		synctest.Wait() // with HTTP/2 the end of a stream comes after that of the body
		client.CloseIdleConnections()
		if _, _, err := fetch(trace, "/ok"); err != nil || reused {
			s.Errorf("after CloseIdleConnections: %v, connection reused %v", err, reused)
		}
		if _, _, err := fetch(s.Context(), "/empty"); err != nil || b.Stats().InFlight != 0 {
			s.Errorf("got %v", err)
		}
		if _, took, err := fetch(s.Context(), "/hang"); !errors.As(err, &e) || e.Backend != "tokens" || e.Reason != timeout.ReasonDeadline || took != 100*time.Millisecond {
			s.Errorf("got %v after %v", err, took)
		}
		if body, took, err := fetch(s.Context(), "/stall"); body != "half" || !errors.As(err, &e) || e.Reason != timeout.ReasonIdle || took != 50*time.Millisecond {
			s.Errorf("got %q, %v after %v", body, err, took)
		}
		if body, took, err := fetch(s.Context(), "/slow"); len(body) != 20 || err != nil || took != 400*time.Millisecond {
			s.Errorf("got %q, %v after %v", body, err, took)
		}
		ctx, cancel := timeout.WithBudget(s.Context(), 200*time.Millisecond)
		defer cancel()
		if _, took, err := fetch(ctx, "/slow"); !errors.As(err, &e) || took != 200*time.Millisecond {
			s.Errorf("got %v after %v", err, took)
		}

		// The slot belongs to the body.
		res, err := client.Get("http://site/ok")
		if err != nil {
			s.Fatal(err)
		}
		if _, _, err := fetch(s.Context(), "/ok"); !errors.As(err, &e) || e.Reason != timeout.ReasonFull {
			s.Errorf("got %v", err)
		}
		res.Body.Close()
		if body, _, err := fetch(s.Context(), "/ok"); body != "ok" || err != nil {
			s.Errorf("got %q, %v", body, err)
		}
		synctest.Wait()
		if got := b.Stats(); got.InFlight != 0 || got.Abandoned != 0 {
			s.Errorf("%+v", got)
		}
	})
}

// rawPipe is a connection whose file can be looked at; like a socket's, not after its
// deadline.
type rawPipe struct {
	*memnet.Conn
	deadline time.Time
}

func (p *rawPipe) SetReadDeadline(t time.Time) error {
	p.deadline = t
	return p.Conn.SetReadDeadline(t)
}

func (p *rawPipe) SyscallConn() (syscall.RawConn, error) { return rawFile{p}, nil }

type rawFile struct{ p *rawPipe }

func (f rawFile) Control(func(uintptr)) error    { return nil }
func (f rawFile) Write(func(uintptr) bool) error { return nil }
func (f rawFile) Read(func(uintptr) bool) error {
	if d := f.p.deadline; !d.IsZero() && !time.Now().Before(d) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Clients with a pool look at the file of a connection before they use it again, and
// throw it away if that fails.
func TestIdleConnLooksWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, idle := range []time.Duration{0, time.Second} {
			b := backend(t, timeout.BackendConfig{Call: 100 * time.Millisecond, Idle: idle})
			near, far := memnet.Pipe()
			defer near.Close()
			defer far.Close()
			c := b.Conn(&rawPipe{Conn: near})
			look := func() error {
				raw, err := c.(syscall.Conn).SyscallConn()
				if err != nil {
					return err
				}
				return raw.Read(func(uintptr) bool { return true })
			}
			io.WriteString(c, "select")
			io.WriteString(far, "rows")
			if n, err := c.Read(make([]byte, 16)); n != 4 || err != nil {
				t.Fatal(n, err)
			}
			time.Sleep(time.Minute)
			if err := look(); err != nil {
				t.Errorf("after an answer: %v", err)
			}
			io.WriteString(c, "close the statement") // which has no answer
			time.Sleep(time.Minute)
			if err := look(); err != nil {
				t.Errorf("after what has no answer: %v", err)
			}
			c.SetReadDeadline(time.Now())
			if err := look(); err == nil {
				t.Error("the user's deadline is gone")
			}
			c.SetReadDeadline(time.Time{})

			// A Read that waits keeps its limit.
			start := time.Now()
			io.WriteString(c, "select")
			time.AfterFunc(50*time.Millisecond, func() { look() })
			if _, err := c.Read(make([]byte, 16)); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 100*time.Millisecond {
				t.Errorf("got %v after %v", err, time.Since(start))
			}
		}
	})
}
