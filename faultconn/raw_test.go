package faultconn_test

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// look asks the socket for a byte, as clients do before they use a connection of
// their pool again. It waits for nothing; the bound is that of a test that fails.
func look(t *testing.T, c net.Conn) (n int, err error) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	looked := make(chan error, 1)
	go func() {
		looked <- raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), make([]byte, 1))
			return true
		})
	}()
	select {
	case failed := <-looked:
		if failed != nil {
			t.Fatal(failed)
		}
		return n, err
	case <-time.After(time.Minute):
		t.Fatal("the look at the socket waits for what comes next")
		return 0, nil
	}
}

// lastDeadline is a connection that knows which deadline was set last.
type lastDeadline struct {
	*net.TCPConn
	last time.Time
}

func (c *lastDeadline) SetReadDeadline(t time.Time) error {
	c.last = t
	return c.TCPConn.SetReadDeadline(t)
}

// A look at the socket leaves the deadline as it was.
func TestLookAtSocketKeepsDeadline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var inj faultconn.Injector
	must(t, &inj, one(fault.Delay{For: ms}))
	wire := &lastDeadline{TCPConn: dialed.(*net.TCPConn)}
	client := inj.Conn("db", wire)
	defer client.Close()
	for _, deadline := range []time.Time{time.Now().Add(time.Hour), {}} {
		if err := client.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(server, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		wire.last = time.Unix(1, 0)
		if n, err := look(t, client); n > 0 || err != syscall.EAGAIN {
			t.Errorf("the socket has %d bytes, %v; want EAGAIN", n, err)
		}
		if !wire.last.Equal(deadline) {
			t.Errorf("the deadline was %v and is %v", deadline, wire.last)
		}
	}
}

func TestLookAtSocketWhileDataAreLate(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = filepath.Join(t.TempDir(), "s")
			}
			l, err := net.Listen(network, addr)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			var inj faultconn.Injector
			client, err := inj.Dialer("db", nil)(t.Context(), network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			say := func(s string) {
				if _, err := io.WriteString(server, s); err != nil {
					t.Fatal(err)
				}
			}
			hear := func(want string) {
				t.Helper()
				got := make([]byte, len(want))
				if _, err := io.ReadFull(client, got); err != nil || string(got) != want {
					t.Fatalf("read %q, %v; want %q", got, err, want)
				}
			}
			nothing := func() {
				t.Helper()
				if n, err := look(t, client); n > 0 || err != syscall.EAGAIN {
					t.Errorf("the socket has %d bytes, %v; want EAGAIN", n, err)
				}
			}

			must(t, &inj, one(fault.Delay{For: ms}))
			for _, s := range []string{"first", "second"} { // idle in between, as in a pool
				say(s)
				hear(s)
				nothing()
				nothing()
			}

			// What is late is not there yet, and not lost.
			must(t, &inj, one(fault.Delay{For: time.Hour}))
			say("late")
			until := func(deadline time.Time) {
				t.Helper()
				if err := client.SetReadDeadline(deadline); err != nil {
					t.Fatal(err)
				}
			}
			expires := func() {
				t.Helper()
				if n, err := client.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%d bytes, %v; want that the deadline came first", n, err)
				}
			}
			until(time.Now().Add(50 * ms))
			expires()
			until(time.Now().Add(time.Hour))
			nothing()
			until(time.Time{})
			nothing()
			must(t, &inj, faultconn.Plan{})
			hear("late")
			say("later")
			hear("later")

			// That the peer has gone is what such clients look for.
			must(t, &inj, one(fault.Delay{For: ms}))
			say("last")
			hear("last")
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			if n, err := client.Read(make([]byte, 1)); n > 0 || err != io.EOF {
				t.Fatalf("%d bytes, %v; want EOF", n, err)
			}
			if n, err := look(t, client); n != 0 || err != nil {
				t.Errorf("the socket has %d bytes, %v; want its end", n, err)
			}
		})
	}
}
