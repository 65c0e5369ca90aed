package memnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// tcpConn is what the scripts use of *net.TCPConn and *memnet.Conn.
type tcpConn interface {
	net.Conn
	CloseRead() error
	CloseWrite() error
	SetLinger(int) error
}

// describe says what callers can find out about an error.
func describe(err error) string {
	if err == nil {
		return "nil"
	}
	if err == io.EOF {
		return "EOF"
	}
	var types []string
	for e := err; e != nil; e = errors.Unwrap(e) {
		types = append(types, reflect.TypeOf(e).String())
	}
	// The net package's own unexported types have other names than ours.
	if last := &types[len(types)-1]; strings.Contains(*last, ".") && !strings.Contains(*last, "syscall") {
		*last = "leaf"
	}
	var op *net.OpError
	text := "no *net.OpError"
	if errors.As(err, &op) {
		text = fmt.Sprintf("%s %s source:%t addr:%t: %v", op.Op, op.Net, op.Source != nil, op.Addr != nil, op.Err)
	}
	var is []string
	for _, target := range []error{
		net.ErrClosed, os.ErrDeadlineExceeded, context.DeadlineExceeded, context.Canceled, io.EOF, io.ErrClosedPipe,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED, syscall.ENOTCONN, syscall.EADDRINUSE, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, target) {
			is = append(is, target.Error())
		}
	}
	var ne net.Error
	timeout := errors.As(err, &ne) && ne.Timeout()
	return fmt.Sprintf("%s | %s | is %s | timeout %t", text, strings.Join(types, " > "), strings.Join(is, ", "), timeout)
}

// A script does something to a pair and notes what it saw. Both ends of a
// loopback connection are on the same machine, so what one end sends has
// reached the other when the call returns.
type script struct {
	name string
	run  func(a, b tcpConn, note func(string, ...any))
}

func read(c net.Conn, size int) string {
	p := make([]byte, size)
	n, err := c.Read(p)
	return fmt.Sprintf("%q %s", p[:n], describe(err))
}

func write(c net.Conn, s string) string {
	n, err := c.Write([]byte(s))
	return fmt.Sprintf("%d %s", n, describe(err))
}

var scripts = []script{
	{"half close", func(a, b tcpConn, note func(string, ...any)) {
		note("write %s", write(a, "request"))
		note("close write %s", describe(a.CloseWrite()))
		note("close write again %s", describe(a.CloseWrite()))
		note("write after %s", write(a, "more"))
		note("server reads %s", read(b, 100))
		note("server reads %s", read(b, 100))
		note("server writes %s", write(b, "reply"))
		note("server closes %s", describe(b.Close()))
		note("client reads %s", read(a, 100))
		note("client reads %s", read(a, 100))
	}},
	{"close, then peer writes", func(a, b tcpConn, note func(string, ...any)) {
		a.Close()
		note("read %s", read(b, 1))
		note("first write %s", write(b, "x"))
		note("second write %s", write(b, "x"))
		note("third write %s", write(b, "x"))
		note("read %s", read(b, 1))
		note("close write %s", describe(b.CloseWrite()))
	}},
	{"abort, then peer reads", func(a, b tcpConn, note func(string, ...any)) {
		write(a, "last words")
		a.SetLinger(0)
		note("close %s", describe(a.Close()))
		note("read %s", read(b, 4))
		note("read %s", read(b, 100))
		note("read %s", read(b, 100))
		note("read %s", read(b, 100))
		note("write %s", write(b, "x"))
		note("write %s", write(b, "x"))
	}},
	{"abort, then peer writes", func(a, b tcpConn, note func(string, ...any)) {
		a.SetLinger(0)
		a.Close()
		note("write %s", write(b, "x"))
		note("write %s", write(b, "x"))
		note("read %s", read(b, 100))
	}},
	{"abort after half close", func(a, b tcpConn, note func(string, ...any)) {
		write(a, "x")
		a.CloseWrite()
		a.SetLinger(0)
		a.Close()
		note("read %s", read(b, 100))
		note("read %s", read(b, 100))
		note("write %s", write(b, "x"))
		note("write %s", write(b, "x"))
	}},
	{"close with unread bytes", func(a, b tcpConn, note func(string, ...any)) {
		write(b, "unread")
		write(a, "x")
		a.Close()
		note("read %s", read(b, 100))
		note("read %s", read(b, 100))
		note("write %s", write(b, "x"))
	}},
	{"close with all read", func(a, b tcpConn, note func(string, ...any)) {
		write(b, "read")
		read(a, 100)
		a.Close()
		note("read %s", read(b, 100))
		note("close write %s", describe(b.CloseWrite()))
		note("write %s", write(b, "x"))
	}},
	{"close read", func(a, b tcpConn, note func(string, ...any)) {
		write(b, "before")
		note("close read %s", describe(a.CloseRead()))
		note("read %s", read(a, 100))
		note("read %s", read(a, 100))
		note("peer writes %s", write(b, "x"))
		note("peer writes %s", write(b, "x"))
		note("write %s", write(a, "y"))
		note("peer reads %s", read(b, 100))
	}},
	{"after local close", func(a, b tcpConn, note func(string, ...any)) {
		note("close %s", describe(a.Close()))
		note("close %s", describe(a.Close()))
		note("read %s", read(a, 1))
		note("read nothing %s", read(a, 0))
		note("write %s", write(a, "x"))
		note("write nothing %s", write(a, ""))
		note("close write %s", describe(a.CloseWrite()))
		note("close read %s", describe(a.CloseRead()))
		note("linger %s", describe(a.SetLinger(0)))
		note("deadline %s", describe(a.SetDeadline(time.Time{})))
		note("read deadline %s", describe(a.SetReadDeadline(time.Time{})))
		note("write deadline %s", describe(a.SetWriteDeadline(time.Time{})))
	}},
	{"deadline in the past", func(a, b tcpConn, note func(string, ...any)) {
		write(b, "there")
		a.SetDeadline(time.Unix(1, 0))
		note("read %s", read(a, 100))
		note("read nothing %s", read(a, 0))
		note("write %s", write(a, "x"))
		note("write nothing %s", write(a, ""))
		a.SetDeadline(time.Time{})
		note("read %s", read(a, 100))
		note("write %s", write(a, "x"))
	}},
	{"deadline while blocked", func(a, b tcpConn, note func(string, ...any)) {
		a.SetReadDeadline(time.Now().Add(time.Millisecond))
		note("read %s", read(a, 100))
		a.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		_, err := a.Write(make([]byte, 32<<20))
		note("write %s", describe(err))
	}},
	{"closed while blocked", func(a, b tcpConn, note func(string, ...any)) {
		done := make(chan string)
		go func() { done <- read(a, 100) }()
		time.AfterFunc(10*time.Millisecond, func() { a.Close() })
		note("read %s", <-done)
		go func() {
			_, err := b.Write(make([]byte, 32<<20))
			done <- describe(err)
		}()
		// A write that is under way meets the RST that its bytes provoke.
		note("peer's write fails %t", <-done != "nil")
	}},
	{"reset while blocked", func(a, b tcpConn, note func(string, ...any)) {
		done := make(chan string)
		go func() { done <- read(a, 100) }()
		time.AfterFunc(10*time.Millisecond, func() { b.SetLinger(0); b.Close() })
		note("read %s", <-done)
		note("close write %s", describe(a.CloseWrite()))
		note("close read %s", describe(a.CloseRead()))
		note("linger %s", describe(a.SetLinger(0)))
		note("deadline %s", describe(a.SetDeadline(time.Time{})))
		note("write nothing %s", write(a, ""))
		note("close %s", describe(a.Close()))
	}},
}

// TestLikeTCP runs the scripts over memnet and over the machine's loopback
// interface and wants to see the same.
func TestLikeTCP(t *testing.T) {
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			var n memnet.Network
			defer n.Close()
			got := record(t, s, n.Listen, n.Dial)
			want := record(t, s, net.Listen, net.Dial)
			if d := difference(got, want); d != "" {
				t.Error(d)
			}
		})
	}
}

func record(t *testing.T, s script, listen func(network, address string) (net.Listener, error), dial func(network, address string) (net.Conn, error)) []string {
	t.Helper()
	l, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var notes []string
	s.run(a.(tcpConn), b.(tcpConn), func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf(format, args...))
	})
	return notes
}

// TestDialAndListenLikeTCP compares what fails before there is a connection.
func TestDialAndListenLikeTCP(t *testing.T) {
	type network struct {
		listen func(network, address string) (net.Listener, error)
		dial   func(ctx context.Context, network, address string) (net.Conn, error)
	}
	var n memnet.Network
	defer n.Close()
	dialer := &net.Dialer{}
	networks := []network{{n.Listen, n.DialContext}, {net.Listen, dialer.DialContext}}

	steps := []struct {
		name string
		run  func(n network) error
	}{
		{"refused", func(n network) error {
			l, err := n.listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			l.Close()
			_, err = n.dial(context.Background(), "tcp", l.Addr().String())
			return err
		}},
		{"canceled before", func(n network) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, err := n.dial(ctx, "tcp", "127.0.0.1:1")
			return err
		}},
		{"too late before", func(n network) error {
			ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
			defer cancel()
			_, err := n.dial(ctx, "tcp", "127.0.0.1:1")
			return err
		}},
		{"in use", func(n network) error {
			l, err := n.listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			_, err = n.listen("tcp", l.Addr().String())
			return err
		}},
		{"accept after close", func(n network) error {
			l, err := n.listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			l.Close()
			_, err = l.Accept()
			return err
		}},
		{"close twice", func(n network) error {
			l, err := n.listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			l.Close()
			return l.Close()
		}},
		{"accept deadline", func(n network) error {
			l, err := n.listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer l.Close()
			l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Unix(1, 0))
			_, err = l.Accept()
			return err
		}},
		{"no port", func(n network) error {
			_, err := n.dial(context.Background(), "tcp", "127.0.0.1")
			return err
		}},
		{"port out of range", func(n network) error {
			_, err := n.dial(context.Background(), "tcp", "127.0.0.1:65536")
			return err
		}},
		{"unknown network", func(n network) error {
			_, err := n.dial(context.Background(), "carrier-pigeon", "127.0.0.1:1")
			return err
		}},
		{"unknown network to listen on", func(n network) error {
			_, err := n.listen("carrier-pigeon", "127.0.0.1:1")
			return err
		}},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			got, want := describe(step.run(networks[0])), describe(step.run(networks[1]))
			if got != want {
				t.Errorf("\nmemnet:   %s\nloopback: %s", got, want)
			}
		})
	}
}
