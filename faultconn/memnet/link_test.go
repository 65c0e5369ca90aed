package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// connect returns both ends of a connection from the host client to server.
func connect(t *testing.T, n *memnet.Network) (client, server *memnet.Conn) {
	t.Helper()
	l, err := n.Listen("tcp", "server:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := n.Host("client").Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return c.(*memnet.Conn), s.(*memnet.Conn)
}

func wantRead(t *testing.T, c net.Conn, want string) {
	t.Helper()
	p := make([]byte, len(want))
	n, err := io.ReadFull(c, p)
	if err != nil || string(p) != want {
		t.Fatalf("read %q, %v, want %q", p[:n], err, want)
	}
}

func wantElapsed(t *testing.T, since time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(since); got != want {
		t.Fatalf("took %v, want %v", got, want)
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memnet.Network{Link: memnet.Link{Latency: 20 * time.Second}}
		defer n.Close()
		start := time.Now()
		client, server := connect(t, n)
		wantElapsed(t, start, 60*time.Second) // there, back, and the last packet there

		start = time.Now()
		client.Write([]byte("one"))
		time.Sleep(5 * time.Second)
		client.Write([]byte("two"))
		client.CloseWrite()
		wantElapsed(t, start, 5*time.Second)
		wantRead(t, server, "one")
		wantElapsed(t, start, 20*time.Second)
		wantRead(t, server, "two")
		wantElapsed(t, start, 25*time.Second) // behind by as much as it was written later
		if _, err := server.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("got %v, want EOF", err)
		}
		wantElapsed(t, start, 25*time.Second)
	})
}

// A 20 s fault must cost a test next to nothing.
func TestLatencyIsVirtual(t *testing.T) {
	start := time.Now()
	synctest.Test(t, func(t *testing.T) {
		n := &memnet.Network{Link: memnet.Link{Latency: 20 * time.Second}}
		defer n.Close()
		client, server := connect(t, n)
		client.Write([]byte("x"))
		wantRead(t, server, "x")
	})
	t.Logf("80 s of latency took %v", time.Since(start))
}

func TestLatencyAndDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memnet.Network
		defer n.Close()
		client, server := connect(t, &n)
		n.SetLink("client", "server", memnet.Link{Latency: time.Minute})
		client.Write([]byte("late"))
		start := time.Now()
		server.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := server.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		wantElapsed(t, start, time.Second)
		server.SetReadDeadline(time.Time{})
		wantRead(t, server, "late") // no byte lost
		wantElapsed(t, start, time.Minute)

		// The other direction is as it was.
		server.Write([]byte("now"))
		wantRead(t, client, "now")
		wantElapsed(t, start, time.Minute)
	})
}

func TestBandwidth(t *testing.T) {
	for _, rate := range []int{64 << 10, 10_000_000, 100_000_000} {
		for _, latency := range []time.Duration{0, 100 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				n := &memnet.Network{Link: memnet.Link{Latency: latency, Bandwidth: rate}}
				defer n.Close()
				client, server := connect(t, n)
				size := 5 * rate
				start := time.Now()
				go func() {
					p := make([]byte, 64<<10)
					for left := size; left > 0; left -= len(p) {
						client.Write(p[:min(left, len(p))])
					}
					client.Close()
				}()
				got, err := io.Copy(io.Discard, server)
				if err != nil || got != int64(size) {
					t.Fatalf("got %d bytes, %v", got, err)
				}
				took := time.Since(start) - latency
				if took < 4950*time.Millisecond || took > 5050*time.Millisecond {
					t.Errorf("%d B/s, latency %v: 5 s of bytes took %v", rate, latency, took)
				}
			})
		}
	}
}

func TestBandwidthIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memnet.Network{Link: memnet.Link{Bandwidth: 1_000_000}}
		defer n.Close()
		start := time.Now()
		const conns = 4
		done := make(chan struct{})
		for range conns {
			client, server := connect(t, n)
			go func() {
				client.Write(make([]byte, 1_000_000))
				client.Close()
			}()
			go func() {
				io.Copy(io.Discard, server)
				done <- struct{}{}
			}()
		}
		for range conns {
			<-done
		}
		if took := time.Since(start); took < 3960*time.Millisecond || took > 4040*time.Millisecond {
			t.Fatalf("4 MB at 1 MB/s took %v", took)
		}
	})
}

func TestPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memnet.Network
		defer n.Close()
		client, server := connect(t, &n)

		n.PartitionOneWay("client", memnet.Any)
		client.Write([]byte("sent again"))
		client.CloseWrite()
		server.Write([]byte("passes"))
		wantRead(t, client, "passes")
		server.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		server.SetReadDeadline(time.Time{})
		n.Heal("client", memnet.Any)
		wantRead(t, server, "sent again")
		if _, err := server.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("got %v, want EOF", err)
		}
	})
}

// An RST is sent once. If it is lost the peer has a half-open connection, and
// learns only when it writes.
func TestPartitionLosesReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memnet.Network
		defer n.Close()
		client, server := connect(t, &n)
		n.Partition("client", "server")
		client.Write([]byte("lost with the socket"))
		client.SetLinger(0)
		client.Close()
		n.Heal("client", "server")

		server.SetReadDeadline(time.Now().Add(time.Hour))
		if n, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read %d, %v on a half-open connection", n, err)
		}
		server.SetReadDeadline(time.Time{})
		if _, err := server.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("got %v, want a reset", err)
		}
	})
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.Network{Buffer: 10}
		defer n.Close()
		client, server := connect(t, &n)
		n.Hold("client", "server")
		client.Write([]byte("01234"))
		client.Write([]byte("56789"))
		client.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := client.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("wrote %d, %v into a full buffer", n, err)
		}
		client.SetLinger(0)
		client.Close()
		server.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		server.SetReadDeadline(time.Time{})
		n.Release("client", "server")
		wantRead(t, server, "0123456789")
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("got %v, want the reset that was held", err)
		}
	})
}

// Bytes for a connection that is closed when they arrive are answered with an
// RST, which takes its time too.
func TestResetOnArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.Network{Link: memnet.Link{Latency: time.Second}}
		defer n.Close()
		client, server := connect(t, &n)
		start := time.Now()
		client.Write([]byte("x"))
		server.Close() // nothing has arrived: a FIN
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("got %v, want EOF", err)
		}
		wantElapsed(t, start, time.Second)
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second + time.Nanosecond)
		if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Fatalf("got %v, want EPIPE", err)
		}
		client.Close()
	})
}

func TestResetWakesWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.Network{Link: memnet.Link{Latency: time.Second}}
		defer n.Close()
		client, server := connect(t, &n)
		start := time.Now()
		time.AfterFunc(time.Minute, func() { server.SetLinger(0); server.Close() })
		wrote, err := client.Write(make([]byte, 64<<20))
		if !errors.Is(err, syscall.ECONNRESET) || wrote == 0 {
			t.Fatalf("wrote %d, %v", wrote, err)
		}
		wantElapsed(t, start, time.Minute+time.Second)
	})
}

func TestDialTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memnet.Network
		defer n.Close()
		n.Partition(memnet.Any, "db")

		start := time.Now()
		_, err := n.Dial("tcp", "db:5432")
		if !errors.Is(err, syscall.ETIMEDOUT) || err.(net.Error).Timeout() != true {
			t.Fatalf("got %v", err)
		}
		wantElapsed(t, start, 127*time.Second)

		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = n.DialContext(ctx, "tcp", "db:5432")
		if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "dial tcp 10.0.0.1:5432: i/o timeout" {
			t.Fatalf("got %v", err)
		}
		wantElapsed(t, start, time.Second)

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = n.DialContext(ctx, "tcp", "db:5432")
		if !errors.Is(err, context.Canceled) || err.Error() != "dial tcp 10.0.0.1:5432: operation was canceled" {
			t.Fatalf("got %v", err)
		}

		// A packet sent again gets through after the partition.
		start = time.Now()
		time.AfterFunc(10*time.Second, func() { n.Heal(memnet.Any, "db") })
		if _, err = n.Dial("tcp", "db:5432"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("got %v", err)
		}
		wantElapsed(t, start, 10*time.Second)

		n.SetLink(memnet.Any, "db", memnet.Link{Latency: time.Second})
		n.SetLink("db", memnet.Any, memnet.Link{Latency: 2 * time.Second})
		start = time.Now()
		if _, err = n.Dial("tcp", "db:5432"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("got %v", err)
		}
		wantElapsed(t, start, 3*time.Second)

		n.SetLink(memnet.Any, "db", memnet.Link{Latency: time.Hour})
		start = time.Now()
		if _, err = n.Dial("tcp", "db:5432"); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Fatalf("got %v", err)
		}
		wantElapsed(t, start, 127*time.Second)
	})
}

// Whatever is read, however the link changes, is what was written, in order.
func TestOrder(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			n := memnet.Network{Buffer: 1 + rng.IntN(5000)}
			defer n.Close()
			client, server := connect(t, &n)
			sent := make([]byte, 200_000)
			for i := range sent {
				sent[i] = byte(rng.Uint32())
			}
			writes := rand.New(rand.NewPCG(seed, 2))
			go func() {
				for p := sent; len(p) > 0; {
					m := min(len(p), 1+writes.IntN(9000))
					if _, err := client.Write(p[:m]); err != nil {
						t.Error(err)
						return
					}
					p = p[m:]
					if writes.IntN(4) == 0 {
						time.Sleep(time.Duration(writes.IntN(20)) * time.Millisecond)
					}
				}
				client.Close()
			}()
			stop := make(chan struct{})
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					switch rng.IntN(6) {
					case 0:
						n.Hold("client", "server")
					case 1:
						n.Partition("client", memnet.Any)
					case 2:
						n.SetLink("client", "server", memnet.Link{Latency: time.Duration(rng.IntN(30)) * time.Millisecond})
					case 3:
						n.SetLink("client", "server", memnet.Link{Bandwidth: 1 + rng.IntN(10_000_000), Latency: time.Duration(rng.IntN(2)) * time.Millisecond})
					default:
						n.Release("client", "server")
						n.Heal("client", memnet.Any)
						n.SetLink("client", "server", memnet.Link{})
					}
					select {
					case <-stop:
						n.Release("client", "server")
						n.Heal("client", memnet.Any)
						return
					case <-time.After(time.Duration(rng.IntN(20)) * time.Millisecond):
					}
				}
			}()
			reads := rand.New(rand.NewPCG(seed, 3))
			var got bytes.Buffer
			for {
				p := make([]byte, 1+reads.IntN(9000))
				if reads.IntN(3) == 0 {
					server.SetReadDeadline(time.Now().Add(time.Duration(reads.IntN(10)) * time.Millisecond))
				}
				n, err := server.Read(p)
				got.Write(p[:n])
				if errors.Is(err, os.ErrDeadlineExceeded) {
					server.SetReadDeadline(time.Time{})
					continue
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("seed %d: %v after %d bytes", seed, err, got.Len())
				}
			}
			close(stop)
			<-stopped
			if !bytes.Equal(got.Bytes(), sent) {
				t.Fatalf("seed %d: %d bytes arrived of %d, or in another order", seed, got.Len(), len(sent))
			}
		})
	}
}
