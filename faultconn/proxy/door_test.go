package proxy_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn/proxy"
)

// knock dials the door and says what it finds: "open", "refused", "silent". It
// has patience where it expects an answer.
func knock(t *testing.T, d *proxy.Door, want string) string {
	t.Helper()
	patience := 20 * time.Second
	if want == "silent" {
		patience = 150 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", d.Addr().String())
	var ne net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.As(err, &ne) && ne.Timeout():
		return "silent"
	case err != nil:
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return "open"
}

func TestDoor(t *testing.T) {
	backend := listen(t, "tcp")
	defer backend.Close()
	go func() {
		for {
			c, err := backend.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				p := make([]byte, 1)
				for {
					if _, err := c.Read(p); err != nil {
						return
					}
					c.Write(p)
				}
			}()
		}
	}()
	d, err := proxy.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy.Proxy{Upstream: backend.Addr().String()}
	served := make(chan error, 1)
	go func() { served <- p.Serve(d) }()

	// A connection that is open stays so.
	c, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	type step struct {
		name string
		do   func() error
		want string
	}
	steps := []step{
		{"refuse", d.Refuse, "refused"}, {"refuse again", d.Refuse, "refused"},
		{"open", d.Open, "open"}, {"open again", d.Open, "open"},
	}
	if runtime.GOOS == "linux" {
		steps = append(steps,
			step{"blackhole", d.Blackhole, "silent"}, step{"blackhole again", d.Blackhole, "silent"},
			step{"open", d.Open, "open"},
			step{"refuse", d.Refuse, "refused"}, step{"blackhole", d.Blackhole, "silent"},
			step{"refuse", d.Refuse, "refused"}, step{"open", d.Open, "open"}, step{"blackhole", d.Blackhole, "silent"},
		)
	} else if err := d.Blackhole(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("blackhole: %v", err)
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		if got := knock(t, d, s.want); got != s.want {
			t.Fatalf("%s: %s", s.name, got)
		}
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte("y")); err != nil {
		t.Error(err)
	}
	wantRead(t, c, "y")

	p.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func() error{"open": d.Open, "refuse": d.Refuse, "blackhole": d.Blackhole, "close": d.Close} {
		if err := f(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if _, err := d.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after Close: %v", err)
	}
}
