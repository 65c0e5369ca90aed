package timeoutdefects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// A defect is something that a middleware may do wrong. Its probe returns what it saw
// done wrong, or nil.
type defect struct {
	name  string
	probe func(*bench) error

	// real is for a probe in whose course the standard library waits for a mutex that is
	// held across a read: virtual time stands still meanwhile.
	real bool
}

var defects = []defect{
	{name: "The response is held back until the handler returns", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			for range 3 {
				io.WriteString(w, "part ")
				http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		})
		if a := b.ask("GET", "/", nil); a.err != nil || a.head != 0 {
			return fmt.Errorf("first byte after %v", a.head)
		}
		return nil
	}},
	{name: "Nothing is answered while the handler hangs; a response cut short looks complete", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/begun" {
				io.WriteString(w, "part")
				http.NewResponseController(w).Flush()
			}
			time.Sleep(5 * time.Second)
		})
		if err := b.ask("GET", "/", nil).refusedInTime(); err != nil {
			return err
		}
		if a := b.ask("GET", "/begun", nil); a.err == nil && a.StatusCode == 200 {
			return fmt.Errorf("a cut response is a complete 200 with %q", a.body)
		} else if a.took > dt {
			return fmt.Errorf("a response was cut after %v", a.took)
		}
		return nil
	}},
	{name: "A stalled upload is never answered", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
		pr, pw := io.Pipe()
		defer pw.Close()
		go io.WriteString(pw, "half")
		// The client waits for its body before it gives up.
		defer time.AfterFunc(patience, func() { pw.CloseWithError(io.ErrUnexpectedEOF) }).Stop()
		return b.ask("POST", "/", pr).refusedInTime()
	}, real: true},
	{name: "A client that stops reading holds the handler for ever", probe: func(b *bench) error {
		returned := make(chan time.Duration, 1)
		h := b.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Write(make([]byte, 64<<20))
		}), dt)
		b.serveBare(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			defer func() { returned <- time.Since(start) }()
			h.ServeHTTP(w, r)
		}))
		res, err := b.client.Get("http://" + b.host)
		if err == nil {
			defer res.Body.Close()
		}
		select {
		case took := <-returned:
			if took > 2*dt {
				return fmt.Errorf("held for %v", took)
			}
			return nil
		case <-time.After(patience):
			return fmt.Errorf("still held after %v", patience)
		}
	}},
	{name: "A request without a body loses its context to a read deadline", probe: func(b *bench) error {
		var early error
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(dt * 8 / 10)
			early = r.Context().Err()
		})
		if a := b.ask("GET", "/", nil); a.err != nil || a.StatusCode != 200 || early != nil {
			return fmt.Errorf("the context ended early: %v", early)
		}
		return nil
	}},
	{name: "Early hints turn a 404 into a 200", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotFound)
		})
		if a := b.ask("GET", "/", nil); a.err != nil || a.StatusCode != 404 {
			return fmt.Errorf("answered %v", a.Status)
		}
		return nil
	}},
	{name: "Flush, deadlines, full duplex, Hijack or sendfile are lost", probe: func(b *bench) error {
		all := make(chan []string, 1)
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			var lost []string
			defer func() { all <- lost }()
			rc := http.NewResponseController(w)
			check := func(name string, err error) {
				if err != nil {
					lost = append(lost, name)
				}
			}
			check("SetReadDeadline", rc.SetReadDeadline(time.Now().Add(time.Hour)))
			check("SetWriteDeadline", rc.SetWriteDeadline(time.Now().Add(time.Hour)))
			check("EnableFullDuplex", rc.EnableFullDuplex())
			check("Flush", rc.Flush())
			if b.proto == 1 {
				if _, ok := w.(io.ReaderFrom); !ok {
					lost = append(lost, "ReadFrom")
				}
				conn, _, err := rc.Hijack()
				check("Hijack", err)
				if err == nil {
					conn.Close()
				}
			}
		})
		b.ask("GET", "/", nil)
		if lost := <-all; lost != nil {
			return errors.New("lost: " + strings.Join(lost, ", "))
		}
		return nil
	}},
	{name: "A panic loses its stack; a late one is not seen at all", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" {
				time.Sleep(2 * dt)
			}
			panicsInTheHandler()
		})
		b.ask("GET", "/", nil)
		if !strings.Contains(b.log.String(), "panicsInTheHandler") {
			return errors.New("no stack")
		}
		before := len(b.log.String())
		b.ask("GET", "/late", nil)
		time.Sleep(time.Second)
		if !strings.Contains(b.log.String()[before:], "panicsInTheHandler") {
			return errors.New("a late panic is not reported")
		}
		return nil
	}},
	{name: "The answer at the deadline does not say when to come back, or may be cached", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		a := b.ask("GET", "/", nil)
		if a.err != nil || a.StatusCode < 500 {
			return fmt.Errorf("no 5xx")
		}
		if a.Header.Get("Retry-After") == "" || a.Header.Get("Cache-Control") != "no-store" {
			return fmt.Errorf("Retry-After %q, Cache-Control %q, Content-Type %q",
				a.Header.Get("Retry-After"), a.Header.Get("Cache-Control"), a.Header.Get("Content-Type"))
		}
		return nil
	}},
	{name: "Handlers that run on after their answer are not counted by the library's limit", probe: func(b *bench) error {
		if b.limited == nil {
			return errors.New("has no limit")
		}
		var running, most atomic.Int64
		b.serveBare(b.limited(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			hang()
		}), dt, 10))
		for range 5 {
			for range 10 {
				go b.ask("GET", "/", nil)
			}
			time.Sleep(3 * dt)
		}
		time.Sleep(time.Minute)
		if most.Load() > 10 {
			return fmt.Errorf("%d ran, with a limit of 10", most.Load())
		}
		return nil
	}},
	{name: "The context has no deadline, another error than DeadlineExceeded, or no cause", probe: func(b *bench) error {
		found := make(chan error, 1)
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			_, ok := ctx.Deadline()
			<-ctx.Done()
			switch {
			case !ok:
				found <- errors.New("no deadline")
			case ctx.Err() != context.DeadlineExceeded:
				found <- fmt.Errorf("the error is %v", ctx.Err())
			case context.Cause(ctx) == ctx.Err():
				found <- errors.New("no cause")
			default:
				found <- nil
			}
		})
		b.ask("GET", "/", nil)
		return <-found
	}},
	{name: "A handler that answers when its context ends loses the race", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			io.WriteString(w, "stale")
		})
		lost := 0
		for range 50 {
			if a := b.ask("GET", "/", nil); a.err != nil || a.StatusCode != 200 || a.body != "stale" {
				lost++
			}
		}
		if lost > 0 {
			return errors.New("lost") // how often may differ from run to run
		}
		return nil
	}},
	{name: "A client that left is answered 503", probe: func(b *bench) error {
		var wrote atomic.Int64
		h := b.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), dt)
		b.serveBare(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(recorder{w, &wrote}, r)
		}))
		ctx, cancel := context.WithTimeout(context.Background(), dt/2)
		defer cancel()
		b.askCtx(ctx, "GET", "/", nil)
		time.Sleep(time.Second)
		if code := wrote.Load(); code >= 500 {
			return fmt.Errorf("wrote %d", code)
		}
		return nil
	}},
	{name: "A second status is written after the handler's own", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusAccepted)
			time.Sleep(dt)
		})
		b.ask("GET", "/", nil)
		time.Sleep(time.Second)
		if text := b.log.String(); text != "" {
			text, _, _ = strings.Cut(text, " from ")
			return errors.New(strings.TrimSpace(text))
		}
		return nil
	}},
	{name: "Headers of middleware inside cannot be kept", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "7")
			timeout.Keep(r.Context(), "X-Request-Id") // does nothing under the others
			<-r.Context().Done()
			time.Sleep(dt) // so that not all can leave it to the handler
		})
		a := b.ask("GET", "/", nil)
		if a.err != nil || a.StatusCode < 500 {
			return errors.New("no 5xx")
		}
		if a.Header.Get("X-Request-Id") != "7" {
			return errors.New("X-Request-Id is dropped")
		}
		return nil
	}},
	{name: "On HTTP/2, one timeout ends the connection of all requests", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hang" {
				<-r.Context().Done()
				time.Sleep(dt)
				return
			}
			io.WriteString(w, r.RemoteAddr)
		})
		if b.proto == 1 {
			return nil
		}
		first := b.ask("GET", "/", nil)
		if a := b.ask("GET", "/hang", nil); a.err != nil || a.StatusCode < 500 {
			return errors.New("no 5xx")
		}
		if second := b.ask("GET", "/", nil); first.body != second.body {
			return errors.New("the next request needed another connection")
		}
		return nil
	}},
	{name: "A deadline is left behind for the next request on the connection", probe: func(b *bench) error {
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			time.Sleep(dt / 2)
			io.WriteString(w, r.RemoteAddr)
		})
		var addr string
		for i := range 5 {
			a := b.ask("POST", "/", strings.NewReader("body"))
			if a.err != nil || a.StatusCode != 200 || addr != "" && a.body != addr {
				return fmt.Errorf("request %d: %v", i, a.err)
			}
			addr = a.body
			time.Sleep(2 * dt)
		}
		return nil
	}},
	{name: "The context does not end when the time is up", probe: func(b *bench) error {
		b.server.WriteTimeout = dt // which does not do it
		ended := make(chan time.Duration, 1)
		b.serve(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			select {
			case <-r.Context().Done():
				ended <- time.Since(start)
			case <-time.After(10 * dt):
				ended <- 0
			}
		})
		b.ask("GET", "/", nil)
		if took := <-ended; took == 0 || took > dt {
			return fmt.Errorf("ended after %v", took)
		}
		return nil
	}},
}

//go:noinline
func panicsInTheHandler() { panic("ouch") }

// recorder notes the last status that was written.
type recorder struct {
	http.ResponseWriter
	code *atomic.Int64
}

func (r recorder) WriteHeader(code int) {
	r.code.Store(int64(code))
	r.ResponseWriter.WriteHeader(code)
}

func (r recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
