package backends

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// badServer does one bad thing to each connection, with a real socket: as soon
// as it has been asked something or, if it is one that speaks first, as soon as
// the client knows that it is connected. The client dials it with dial.
func badServer(t *testing.T, speaksFirst bool, bad func(c *net.TCPConn)) (addr string, dial dialFunc) {
	connected := make(chan struct{}, 100)
	l := listen(t)
	var mu sync.Mutex
	var conns []net.Conn
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			serving.Go(func() {
				if speaksFirst {
					select {
					case <-connected:
					case <-t.Context().Done():
					}
				} else {
					c.Read(make([]byte, 64<<10)) // all of a request, or closing would be a reset
				}
				bad(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return l.Addr().String(), func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := plain(ctx, network, addr)
		if err == nil {
			connected <- struct{}{}
		}
		return c, err
	}
}

// What a client makes of a fault is what it makes of the same thing done by a
// real server: the same errors to errors.Is and errors.As, and the same words.
func TestSameAsReal(t *testing.T) {
	reads := faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}
	cases := []struct {
		name string
		rule faultconn.Rule
		real func(c *net.TCPConn)
	}{
		{"reset", faultconn.Rule{Fault: fault.Abort{}}, func(c *net.TCPConn) { c.SetLinger(0); c.Close() }},
		{"closed", faultconn.Rule{Fault: fault.Close{}, Select: reads}, func(c *net.TCPConn) { c.Close() }},
		{"hung", faultconn.Rule{Fault: fault.Hang{}}, func(*net.TCPConn) {}},
		{"refused", faultconn.Rule{Fault: fault.Refuse{}}, nil},
	}
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			addr := b.start(t)
			speaksFirst := b.name == "mysql" || b.name == "smtp"
			for _, c := range cases {
				real, dial := "", dialFunc(plain)
				if c.real != nil {
					real, dial = badServer(t, speaksFirst, c.real)
				} else {
					l := listen(t)
					real = l.Addr().String()
					l.Close()
				}
				inj := &faultconn.Injector{}
				if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{c.rule}}); err != nil {
					t.Fatal(err)
				}
				patience := time.Minute
				if c.name == "hung" {
					patience = brief
				}
				want := describe(b.use(real, dial, patience), real)
				got := describe(b.use(addr, inj.Dialer(b.name, nil), patience), addr)
				if got != want {
					t.Errorf("%s: by a fault\n  %s\nby a real server\n  %s", c.name, got, want)
				}
			}
		})
	}
}

// describe says all that code and people can see in an error, without what
// differs from run to run.
func describe(err error, addr string) string {
	if err == nil {
		return "nil"
	}
	var is []string
	for _, target := range []struct {
		name string
		err  error
	}{
		{"ECONNREFUSED", syscall.ECONNREFUSED}, {"ECONNRESET", syscall.ECONNRESET}, {"EPIPE", syscall.EPIPE}, {"EOF", io.EOF},
		{"unexpected EOF", io.ErrUnexpectedEOF}, {"deadline", os.ErrDeadlineExceeded}, {"context", context.DeadlineExceeded},
		{"closed", net.ErrClosed}, {"bad conn", driver.ErrBadConn},
	} {
		if errors.Is(err, target.err) {
			is = append(is, target.name)
		}
	}
	if oe := (*net.OpError)(nil); errors.As(err, &oe) {
		is = append(is, "OpError "+oe.Op)
	}
	if se := (*os.SyscallError)(nil); errors.As(err, &se) {
		is = append(is, "SyscallError "+se.Syscall)
	}
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		is = append(is, "timeout")
	}
	words := strings.Fields(strings.ReplaceAll(err.Error(), addr, "SERVER"))
	for i, w := range words {
		if strings.HasPrefix(w, "127.0.0.1:") { // this side's port
			_, rest, _ := strings.Cut(w, "->")
			words[i] = "CLIENT->" + rest
		}
	}
	slices.Sort(is)
	return strings.Join(is, ", ") + ": " + strings.Join(words, " ")
}
