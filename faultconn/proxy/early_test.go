package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// slowly makes each dial take a time, unless its context ends.
func slowly(took time.Duration) func(dialFunc) dialFunc {
	return func(dial dialFunc) dialFunc {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			select {
			case <-time.After(took):
				return dial(ctx, network, address)
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
}

func TestClientLeavesWhileDialling(t *testing.T) {
	for name, tt := range map[string]struct {
		leave func(c *memnet.Conn)
		want  error
	}{
		"close":               {func(c *memnet.Conn) { c.Close() }, io.EOF},
		"reset":               {func(c *memnet.Conn) { c.SetLinger(0); c.Close() }, syscall.ECONNRESET},
		"reset after a while": {func(c *memnet.Conn) { time.Sleep(time.Minute); c.SetLinger(0); c.Close() }, syscall.ECONNRESET},
		"reset after bytes":   {func(c *memnet.Conn) { c.Write([]byte("request")); time.Sleep(time.Second); c.SetLinger(0); c.Close() }, syscall.ECONNRESET},
		"reset after a lot": {func(c *memnet.Conn) {
			c.Write(make([]byte, 100<<10))
			time.Sleep(time.Second)
			c.SetLinger(0)
			c.Close()
		}, syscall.ECONNRESET},
		"close after a minute": {func(c *memnet.Conn) { time.Sleep(time.Minute); c.Close() }, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var events log
				gaveUp := make(chan error, 1)
				r := newRig(t, &proxy.Proxy{OnEvent: events.add}, func(dial dialFunc) dialFunc {
					return func(ctx context.Context, _, _ string) (net.Conn, error) {
						<-ctx.Done() // as a host that does not answer
						gaveUp <- ctx.Err()
						return nil, ctx.Err()
					}
				})
				defer r.stop()
				tt.leave(r.dial())
				start := time.Now()
				if err := <-gaveUp; !errors.Is(err, context.Canceled) {
					t.Errorf("the dial ended with %v", err)
				}
				if d := time.Since(start); d > 100*time.Millisecond {
					t.Errorf("noticed after %v", d)
				}
				synctest.Wait()
				if n := len(r.Conns()); n != 0 {
					t.Errorf("%d connections left", n)
				}
				if events.kinds() != "broken" || !errors.Is(events.events[0].Err, tt.want) ||
					!strings.Contains(events.events[0].String(), "the client left while the upstream was being dialled") {
					t.Errorf("events: %v", events.events)
				}
			})
		})
	}
}

// A client that has gone is noticed although the dial does not heed its
// context; what the dial returns in the end is reset.
func TestClientLeavesDeafDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events log
		r := newRig(t, &proxy.Proxy{OnEvent: events.add}, func(dial dialFunc) dialFunc {
			return func(_ context.Context, network, address string) (net.Conn, error) {
				time.Sleep(time.Minute)
				return dial(context.Background(), network, address)
			}
		})
		defer r.stop()
		r.dial().Close()
		server, err := r.backend.Accept()
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, server, syscall.ECONNRESET)
		server.Close()
		synctest.Wait()
		if events.kinds() != "broken" {
			t.Errorf("events: %v", events.events)
		}
	})
}

// What clients do while a dial takes its time is not lost, and nothing of it
// counts as leaving.
func TestSlowDial(t *testing.T) {
	const took = 20 * time.Second
	for name, sends := range map[string][]int{
		"nothing":          nil,
		"a request":        {100},
		"several":          {1, 255, 256, 257, 5000},
		"a buffer exactly": {16 << 10, 128<<10 - 16<<10},
		"more than fits":   {100 << 10, 100 << 10, 100 << 10, 100 << 10},
	} {
		for _, halfClose := range []bool{false, true} {
			if halfClose && sends == nil {
				continue
			}
			t.Run(fmt.Sprint(name, " ", halfClose), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var events log
					r := newRig(t, &proxy.Proxy{OnEvent: events.add}, slowly(took))
					defer r.stop()
					client := r.dial()
					defer client.Close()
					var sent []byte
					for i, n := range sends {
						sent = append(sent, bytes.Repeat([]byte{byte('a' + i)}, n)...)
					}
					go func() { // blocks where the proxy does not take more
						rest := sent
						for _, n := range sends {
							time.Sleep(time.Second)
							client.Write(rest[:n])
							rest = rest[n:]
						}
						if halfClose {
							client.CloseWrite()
						}
					}()
					server, err := r.backend.Accept()
					if err != nil {
						t.Fatal(err)
					}
					defer server.Close()
					// A request is answered before the client sends more.
					wantRead(t, server, string(sent))
					server.Write([]byte("reply"))
					wantRead(t, client, "reply")
					if halfClose {
						wantError(t, server, io.EOF)
					} else {
						client.Write([]byte("more"))
						wantRead(t, server, "more")
						// Nor is anything left that would end a quiet connection.
						time.Sleep(time.Hour)
						client.Write([]byte("later"))
						wantRead(t, server, "later")
						client.CloseWrite()
						wantError(t, server, io.EOF)
					}
					server.Close()
					wantError(t, client, io.EOF)
					synctest.Wait()
					if k := events.kinds(); k != "opened closed" {
						t.Errorf("events: %v", events.events)
					}
				})
			})
		}
	}
}

// A client that does not stop sending while nobody answers fills the proxy's
// buffer and the network's, and then blocks.
func TestSlowDialBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &proxy.Proxy{}, slowly(time.Hour))
		defer r.stop()
		client := r.dial()
		defer client.Close()
		client.SetWriteDeadline(time.Now().Add(time.Minute))
		n, err := client.Write(make([]byte, 10<<20))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n < 128<<10 || n > 512<<10 {
			t.Errorf("sent %d bytes, %v", n, err)
		}
	})
}

// A dial that fails, and commands, end a connection that reads ahead, be it
// that the client is quiet or that it is blocked because nothing more fits.
func TestSlowDialEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end    func(r *rig)
		client error
		events string
	}{
		"dial fails": {func(r *rig) { r.backend.Close(); time.Sleep(time.Hour) }, syscall.ECONNRESET, "dial-failed"},
		"reset":      {func(r *rig) { r.Conns()[0].Reset() }, syscall.ECONNRESET, "broken"},
		"close":      {func(r *rig) { r.Close() }, io.EOF, "broken"},
	} {
		for _, sends := range []int{0, 100, 1 << 20} {
			t.Run(fmt.Sprint(name, " ", sends), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var events log
					r := newRig(t, &proxy.Proxy{OnEvent: events.add}, slowly(time.Minute))
					defer r.stop()
					client := r.dial()
					defer client.Close()
					blocked := make(chan error, 1)
					go func() {
						_, err := client.Write(make([]byte, sends))
						blocked <- err
					}()
					time.Sleep(time.Second)
					tt.end(r)
					err := <-blocked
					switch {
					case sends < 1<<20:
						wantError(t, client, tt.client)
					case !errors.Is(err, syscall.ECONNRESET): // bytes that nobody has read
						t.Errorf("the write ended with %v", err)
					}
					synctest.Wait()
					if k := events.kinds(); k != tt.events || len(r.Conns()) != 0 {
						t.Errorf("events: %v, conns: %v", events.events, r.Conns())
					}
				})
			})
		}
	}
}

// Held bytes stay held when the dial is done.
func TestSlowDialHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &proxy.Proxy{}, slowly(time.Minute))
		defer r.stop()
		client := r.dial()
		defer client.Close()
		synctest.Wait()
		c := r.Conns()[0]
		c.Hold(proxy.Up)
		client.Write([]byte("held"))
		server, err := r.backend.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		wantNothing(t, server)
		c.Release(proxy.Up)
		wantRead(t, server, "held")
	})
}

// A handshake that takes longer than the dial is not disturbed.
func TestSlowDialTLS(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	theirs := &tls.Config{Certificates: certs.TLS.Certificates}
	certs.Close()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &proxy.Proxy{}, slowly(time.Minute))
		defer r.stop()
		l, err := r.net.Listen("tcp", "proxy:2")
		if err != nil {
			t.Fatal(err)
		}
		go r.Serve(tls.NewListener(l, theirs))
		raw, err := r.net.Dial("tcp", "proxy:2")
		if err != nil {
			t.Fatal(err)
		}
		server, err := r.backend.Accept() // a minute later, with the handshake not begun
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		client := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		defer client.Close()
		if _, err := client.Write([]byte("request")); err != nil {
			t.Fatal(err)
		}
		wantRead(t, server, "request")
	})
}

// A client that connects and leaves at once is passed on where dialling is
// quick, as it always was.
func TestQuickDialOfLeaver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events log
		r := newRig(t, &proxy.Proxy{OnEvent: events.add}, slowly(99*time.Millisecond))
		defer r.stop()
		r.dial().Close()
		server, err := r.backend.Accept()
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, server, io.EOF)
		server.Close()
		synctest.Wait()
		if k := events.kinds(); k != "opened closed" {
			t.Errorf("events: %v", events.events)
		}
	})
}

// Bytes stay whole and in order wherever among them the dial ends, on listeners
// with faults too.
func TestSlowDialBytes(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			r := newRig(t, &proxy.Proxy{}, slowly(time.Duration(rng.IntN(8))*50*time.Millisecond))
			defer r.stop()
			l, err := r.net.Listen("tcp", "proxy:2")
			if err != nil {
				t.Fatal(err)
			}
			inj := &faultconn.Injector{}
			if err := inj.SetPlan(faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{
				{Chance: 0.5, Scope: faultconn.PerOperation, Fault: fault.Slice{Size: 100, Vary: 99}, Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}},
				{Chance: 0.3, Scope: faultconn.PerOperation, Fault: fault.Delay{For: 70 * time.Millisecond}, Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}},
			}}); err != nil {
				t.Fatal(err)
			}
			go r.Serve(inj.Listener("front", l))
			c, err := r.net.Dial("tcp", []string{"proxy:1", "proxy:2"}[seed%2])
			if err != nil {
				t.Fatal(err)
			}
			client := c.(*memnet.Conn)
			defer client.Close()
			var sent []byte
			for range rng.IntN(20) {
				sent = append(sent, bytes.Repeat([]byte{byte(rng.Uint32())}, 1+rng.IntN([]int{10, 1000, 40_000}[rng.IntN(3)]))...)
			}
			sent = append(sent, '.') // or leaving could be what it does
			go func() {
				for rest := sent; len(rest) > 0; {
					n := min(len(rest), 1+rng.IntN(20_000))
					client.Write(rest[:n])
					rest = rest[n:]
					time.Sleep(time.Duration(rng.IntN(3)) * 50 * time.Millisecond)
				}
				client.CloseWrite()
			}()
			server, err := r.backend.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			got, err := io.ReadAll(server)
			if err != nil || !bytes.Equal(got, sent) {
				t.Fatalf("seed %d: %d bytes of %d arrived, %v", seed, len(got), len(sent), err)
			}
			server.Write([]byte("reply"))
			wantRead(t, client, "reply")
		})
	}
}
