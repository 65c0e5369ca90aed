package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

func wantRead(t *testing.T, c net.Conn, want string) {
	t.Helper()
	p := make([]byte, len(want))
	n, err := io.ReadFull(c, p)
	if err != nil || string(p) != want {
		t.Fatalf("read %q, %v, want %q", p[:n], err, want)
	}
}

func wantError(t *testing.T, c net.Conn, want error) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, want) {
		t.Fatalf("read %d bytes, %v, want %v", n, err, want)
	}
}

func wantNothing(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(time.Hour))
	wantError(t, c, os.ErrDeadlineExceeded)
	c.SetReadDeadline(time.Time{})
}

// log keeps events.
type log struct {
	mu     sync.Mutex
	events []proxy.Event
}

func (l *log) add(e proxy.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *log) kinds() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var kinds []string
	for _, e := range l.events {
		kinds = append(kinds, string(e.Kind))
	}
	return strings.Join(kinds, " ")
}

func TestHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events log
		r := newRig(t, &proxy.Proxy{OnEvent: events.add})
		defer r.stop()
		client, server := r.connect()
		client.Write([]byte("request"))
		client.CloseWrite()
		got, err := io.ReadAll(server)
		if string(got) != "request" || err != nil {
			t.Fatalf("the server read %q, %v", got, err)
		}
		synctest.Wait()
		if s := r.Conns()[0].Info().State; s != proxy.ClientClosed {
			t.Errorf("state is %s", s)
		}
		time.Sleep(time.Hour)
		start := time.Now()
		server.Write([]byte("reply"))
		server.Close()
		if got, err = io.ReadAll(client); string(got) != "reply" || err != nil {
			t.Fatalf("the client read %q, %v", got, err)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("the end of the stream took %v", d)
		}
		synctest.Wait()
		if n := len(r.Conns()); n != 0 {
			t.Errorf("%d connections open", n)
		}
		if k := events.kinds(); k != "opened closed" {
			t.Errorf("events: %s", k)
		}
		client.Close()
	})
}

// An RST arrives as an RST, after the bytes that came before it.
func TestReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events log
		r := newRig(t, &proxy.Proxy{OnEvent: events.add})
		defer r.stop()
		client, server := r.connect()
		server.Write([]byte("last words"))
		synctest.Wait()
		server.SetLinger(0)
		server.Close()
		synctest.Wait()
		wantRead(t, client, "last words")
		wantError(t, client, syscall.ECONNRESET)
		client.Close()

		client, server = r.connect()
		client.Write([]byte("last words"))
		synctest.Wait()
		client.SetLinger(0)
		client.Close()
		synctest.Wait()
		wantRead(t, server, "last words")
		wantError(t, server, syscall.ECONNRESET)
		server.Close()
		synctest.Wait()
		if k := events.kinds(); k != "opened broken opened broken" {
			t.Errorf("events: %s", k)
		}
	})
}

// A server that replies and closes without reading the request resets the
// connection. The reply is to arrive although a write to the server fails.
func TestReplyBeforeReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &proxy.Proxy{})
		defer r.stop()
		client, server := r.connect()
		server.Write(bytes.Repeat([]byte("x"), 200<<10)[:60<<10])
		server.Close()
		client.Write([]byte("never read"))
		client.Write([]byte("nor this"))
		got, err := io.ReadAll(client)
		if len(got) != 60<<10 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("the client read %d bytes, %v", len(got), err)
		}
		client.Close()
	})
}

// The client of a backend that is down gets a reset, and not an orderly end.
func TestBackendDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events log
		r := newRig(t, &proxy.Proxy{OnEvent: events.add})
		defer r.stop()
		r.backend.Close()
		client := r.dial()
		defer client.Close()
		wantError(t, client, syscall.ECONNRESET)
		synctest.Wait()
		if events.kinds() != "dial-failed" || !errors.Is(events.events[0].Err, syscall.ECONNREFUSED) {
			t.Errorf("events: %v", events.events)
		}
	})
}

func TestDialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events log
		r := newRig(t, &proxy.Proxy{OnEvent: events.add, DialTimeout: 3 * time.Second})
		defer r.stop()
		r.net.Partition("proxy", "backend")
		start := time.Now()
		slow := r.dial()
		defer slow.Close()
		synctest.Wait()
		if s := r.Conns()[0].Info().State; s != proxy.Dialing {
			t.Errorf("state is %s", s)
		}
		wantError(t, slow, syscall.ECONNRESET)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v", d)
		}
		synctest.Wait()
		if events.kinds() != "dial-failed" || !errors.Is(events.events[0].Err, context.DeadlineExceeded) {
			t.Errorf("events: %v", events.events)
		}

		// A command does not wait for the dial either.
		other := r.dial()
		defer other.Close()
		synctest.Wait()
		r.Conns()[0].Reset()
		wantError(t, other, syscall.ECONNRESET)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestSlowDialDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		r := newRig(t, &proxy.Proxy{}, func(dial dialFunc) dialFunc {
			return func(ctx context.Context, network, address string) (net.Conn, error) {
				if first {
					first = false
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return dial(ctx, network, address)
			}
		})
		defer r.stop()
		stuck := r.dial()
		defer stuck.Close()
		synctest.Wait()
		client, server := r.connect()
		client.Write([]byte("x"))
		wantRead(t, server, "x")
	})
}

func TestHoldReleaseStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &proxy.Proxy{})
		defer r.stop()
		client, server := r.connect()
		synctest.Wait()
		c := r.Conns()[0]
		c.Hold(proxy.Up)
		client.Write([]byte("one"))
		synctest.Wait()
		client.Write([]byte("two"))
		client.CloseWrite()
		wantNothing(t, server)
		if i := c.Info(); !i.HeldUp || i.HeldDown || i.Up != 0 {
			t.Errorf("info: %v", i)
		}
		server.Write([]byte("not held"))
		wantRead(t, client, "not held")

		c.Step(proxy.Up)
		wantRead(t, server, "one")
		wantNothing(t, server)
		c.Release(proxy.Up)
		wantRead(t, server, "two")
		wantError(t, server, io.EOF)
		if i := c.Info(); i.HeldUp || i.Up != 6 || i.Down != 8 {
			t.Errorf("info: %v", i)
		}
	})
}

func TestResetByCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events log
		r := newRig(t, &proxy.Proxy{OnEvent: events.add})
		defer r.stop()
		client, server := r.connect()
		synctest.Wait()
		c := r.Conn(1)
		c.Hold(proxy.Down)
		server.Write([]byte("held"))
		synctest.Wait()
		c.Reset() // idle upstream, held downstream
		wantError(t, client, syscall.ECONNRESET)
		wantError(t, server, syscall.ECONNRESET)
		synctest.Wait()
		c.Reset()
		c.Hold(proxy.Up)
		if r.Conn(1) != nil || c.Info().State != proxy.Ended {
			t.Errorf("still there: %v", c.Info())
		}
		if events.kinds() != "opened broken" {
			t.Errorf("events: %v", events.events)
		}
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &proxy.Proxy{})
		defer r.stop()
		client, server := r.connect()
		client.Write([]byte("work"))
		wantRead(t, server, "work")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := r.Shutdown(ctx)
		var oe *proxy.OpenError
		if !errors.As(err, &oe) || len(oe.Conns) != 1 || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		const want = "proxy: shutdown: 1 connections still open: #1 10.0.0.3:32768 -> 10.0.0.1:1 (open, 4 bytes up, 0 down), for 1m0s: context deadline exceeded"
		if err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if _, err := r.net.Dial("tcp", "proxy:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
		// It goes on, and a shutdown waits for it.
		time.AfterFunc(time.Minute, func() {
			server.Write([]byte("done"))
			server.Close()
			wantRead(t, client, "done")
			client.Close()
		})
		if err := r.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseNamesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events log
		release := make(chan struct{})
		r := newRig(t, &proxy.Proxy{OnEvent: events.add}, func(dialFunc) dialFunc {
			return func(context.Context, string, string) (net.Conn, error) {
				<-release // deaf to its context
				return nil, errors.New("too late")
			}
		})
		client := r.dial()
		defer client.Close()
		synctest.Wait()
		time.AfterFunc(7*time.Second, func() { close(release) })
		start := time.Now()
		r.stop()
		if d := time.Since(start); d != 7*time.Second {
			t.Errorf("Close took %v", d)
		}
		if events.kinds() != "stuck broken" || !strings.Contains(events.events[0].String(), "stuck #1 10.0.0.3:32768 -> backend:1 (dialing") {
			t.Errorf("events: %v", events.events)
		}
	})
}

// Bytes arrive whole and in order, whatever their sizes, and the counters of
// the connection tell how many while it is open.
func TestBytes(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			r := newRig(t, &proxy.Proxy{})
			defer r.stop()
			client, server := r.connect()
			sent := make([]byte, 1<<20)
			for i := range sent {
				sent[i] = byte(rng.Uint32())
			}
			go func() {
				for p := sent; len(p) > 0; {
					n := min(len(p), 1+rng.IntN([]int{100, 5000, 200_000}[rng.IntN(3)]))
					client.Write(p[:n])
					p = p[n:]
					if rng.IntN(5) == 0 {
						time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
					}
				}
				client.CloseWrite()
			}()
			got, err := io.ReadAll(server)
			if err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("seed %d: %d bytes arrived, %v", seed, len(got), err)
			}
			if up := r.Conns()[0].Info().Up; up != int64(len(sent)) {
				t.Errorf("seed %d: %d bytes counted", seed, up)
			}
		})
	}
}

// Without an address to lead to, each client would be reset, and nobody told why.
func TestServeWithoutUpstream(t *testing.T) {
	n := &memnet.Network{}
	defer n.Close()
	l, err := n.Listen("tcp", "front:1")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy.Proxy{Dial: n.DialContext}
	defer p.Close()
	served := make(chan error, 1)
	go func() { served <- p.Serve(l) }()
	select {
	case err := <-served:
		if err == nil || !strings.Contains(err.Error(), "no Upstream is set") {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it serves")
	}
	if c, err := l.Accept(); err == nil {
		c.Close()
		t.Error("the listener is still open")
	}
}
