// Package clients lets real clients meet bad backends twice: a real one, that
// does the bad thing with a real socket, and a good one behind a faulty dialer.
// The errors that come out must be of the same kinds.
package clients

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/brownout-go/brownout/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// dialFunc is what each of the clients takes.
type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// A client is one library, with the server that it needs.
type client struct {
	name string
	// serve answers the requests on a connection through reply, until an error.
	serve func(c net.Conn, reply func(b []byte) error) error
	// open prepares the client, which has connections that dial makes. The
	// function it returns is one call; warm says that connections may be made
	// beforehand.
	open func(t *testing.T, addr string, dial dialFunc) (call func() error)
}

const (
	patience = 500 * time.Millisecond // of the clients
	garbage  = "\x00\xff\x13garbage\x7f\x80 not a protocol\r\n\r\n\xee"
)

// bad is one bad condition: what a real server does, and the fault that stands
// for it.
var bad = []struct {
	name  string
	serve func(c net.Conn, good []byte) error // in the place of the good reply
	rule  faultconn.Rule
}{
	{"reset", func(c net.Conn, _ []byte) error {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		return net.ErrClosed
	}, faultconn.Rule{Fault: fault.Abort{}}},
	{"hung", func(net.Conn, []byte) error { return nil }, faultconn.Rule{Fault: fault.Hang{}}},
	{"closed", func(c net.Conn, _ []byte) error { c.Close(); return net.ErrClosed }, faultconn.Rule{
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}, Fault: fault.Close{},
	}},
	{"truncated", func(c net.Conn, good []byte) error {
		c.Write(good[:len(good)/2])
		c.Close()
		return net.ErrClosed
	}, faultconn.Rule{Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}, Fault: truncate{}}},
	{"garbage", func(c net.Conn, _ []byte) error {
		_, err := io.WriteString(c, garbage)
		return err
	}, faultconn.Rule{Fault: fault.Garbage{Text: garbage}}},
	{"slow", func(c net.Conn, good []byte) error {
		time.Sleep(patience / 10)
		_, err := c.Write(good)
		return err
	}, faultconn.Rule{Fault: fault.Delay{For: patience / 10}}},
}

// truncate lets half of what arrives pass and ends the stream: a fault of one's
// own, for a place that is not known beforehand.
type truncate struct{}

func (truncate) Kind() string { return "truncate" }
func (truncate) Inject(op faultconn.Op) faultconn.Effect {
	if op.First {
		return faultconn.Effect{Bytes: len(op.Data) / 2, Replace: true, With: string(op.Data[:len(op.Data)/2])}
	}
	return faultconn.Effect{Close: true}
}

// TestErrorsAreThoseOfARealNetwork is the matrix of clients and conditions.
func TestErrorsAreThoseOfARealNetwork(t *testing.T) {
	for _, cl := range []client{memcached, web, postgres, redisClient} {
		for _, b := range bad {
			t.Run(cl.name+"/"+b.name, func(t *testing.T) {
				real := newServer(t, cl.serve)
				call := cl.open(t, real.addr(), new(net.Dialer).DialContext)
				if err := call(); err != nil {
					t.Fatalf("the good server: %v", err)
				}
				real.turn(b.serve)
				want := call()

				good := newServer(t, cl.serve)
				var inj faultconn.Injector
				call = cl.open(t, good.addr(), inj.Dialer("backend", nil))
				if err := call(); err != nil {
					t.Fatalf("the good server through a wrapper: %v", err)
				}
				b.rule.Name = b.name
				if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{b.rule}}); err != nil {
					t.Fatal(err)
				}
				got := call()
				if !slices.Equal(kinds(got), kinds(want)) {
					t.Errorf("injected: %v %v\nreal:     %v %v", kinds(got), got, kinds(want), want)
				}
				if (b.name == "slow") != (got == nil) {
					t.Errorf("the call returned %v", got)
				}
				if missed := inj.Unfired(); len(missed) > 0 {
					t.Errorf("did not strike: %q", missed)
				}
				// What a client does to clean up is not under test.
				if err := inj.SetPlan(faultconn.Plan{}); err != nil {
					t.Fatal(err)
				}
			})
		}
		t.Run(cl.name+"/refused", func(t *testing.T) {
			gone := newServer(t, cl.serve)
			addr := gone.addr()
			gone.stop()
			want := cl.open(t, addr, new(net.Dialer).DialContext)()

			good := newServer(t, cl.serve)
			var inj faultconn.Injector
			if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{Fault: fault.Refuse{}}}}); err != nil {
				t.Fatal(err)
			}
			got := cl.open(t, good.addr(), inj.Dialer("backend", nil))()
			if !slices.Equal(kinds(got), kinds(want)) || got == nil {
				t.Errorf("injected: %v %v\nreal:     %v %v", kinds(got), got, kinds(want), want)
			}
			if g, w := strings.ReplaceAll(fmt.Sprint(got), good.addr(), addr), fmt.Sprint(want); g != w {
				t.Errorf("injected: %s\nreal:     %s", g, w)
			}
		})
	}
}

// kinds says which of the errors that programs ask for are in err.
func kinds(err error) []string {
	var is []string
	for _, k := range []struct {
		name string
		err  error
	}{
		{"refused", syscall.ECONNREFUSED}, {"reset", syscall.ECONNRESET}, {"pipe", syscall.EPIPE},
		{"EOF", io.EOF}, {"unexpected EOF", io.ErrUnexpectedEOF},
		{"deadline", os.ErrDeadlineExceeded}, {"context", context.DeadlineExceeded}, {"closed", net.ErrClosed},
	} {
		if errors.Is(err, k.err) {
			is = append(is, k.name)
		}
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		is = append(is, "timeout")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		is = append(is, "op "+op.Op)
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		is = append(is, "call "+call.Syscall)
	}
	return is
}

// server answers well until it is turned.
type server struct {
	ln   net.Listener
	done sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	bad   func(c net.Conn, good []byte) error
}

func newServer(t *testing.T, serve func(net.Conn, func([]byte) error) error) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ln: ln}
	t.Cleanup(s.stop)
	s.done.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.done.Go(func() {
				defer c.Close()
				_ = serve(c, func(good []byte) error {
					s.mu.Lock()
					bad := s.bad
					s.mu.Unlock()
					if bad != nil {
						return bad(c, good)
					}
					_, err := c.Write(good)
					return err
				})
			})
		}
	})
	return s
}

func (s *server) addr() string { return s.ln.Addr().String() }

func (s *server) turn(bad func(net.Conn, []byte) error) {
	s.mu.Lock()
	s.bad = bad
	s.mu.Unlock()
}

func (s *server) stop() {
	s.ln.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}
