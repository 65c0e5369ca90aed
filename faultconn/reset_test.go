package faultconn_test

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// errno checks that err has the very shape net gives to a system call's error.
func errno(t *testing.T, err error, op string, want syscall.Errno) {
	t.Helper()
	var o *net.OpError
	var s *os.SyscallError
	if !errors.As(err, &o) || o.Op != op || o.Source == nil || o.Addr == nil || !errors.As(o.Err, &s) || s.Err != want {
		t.Errorf("error is %v (%T), want a *net.OpError of %s around %v", err, err, op, want)
	}
}

func TestResetOnTCPIsARealRST(t *testing.T) {
	var inj faultconn.Injector
	client, server := tcp(t, &inj)
	must(t, &inj, one(fault.Reset{}))
	go server.Write([]byte("hello"))
	_, err := client.Read(make([]byte, 9))
	errno(t, err, "read", syscall.ECONNRESET)
	if _, err := client.Read(make([]byte, 9)); err != io.EOF {
		t.Errorf("second read: %v, want io.EOF as after a real RST", err)
	}
	_, err = client.Write([]byte("x"))
	errno(t, err, "write", syscall.EPIPE)

	_, err = server.Read(make([]byte, 9))
	errno(t, err, "read", syscall.ECONNRESET)
	if err := client.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// The write that meets a reset first reports it, later ones the broken pipe.
func TestResetOnWrite(t *testing.T) {
	var inj faultconn.Injector
	client, server := tcp(t, &inj)
	must(t, &inj, one(fault.Reset{}))
	_, err := client.Write([]byte("x"))
	errno(t, err, "write", syscall.ECONNRESET)
	_, err = client.Write([]byte("x"))
	errno(t, err, "write", syscall.EPIPE)
	_, err = server.Read(make([]byte, 9))
	errno(t, err, "read", syscall.ECONNRESET)
}

func TestResetOfAnIdleConnection(t *testing.T) {
	var inj faultconn.Injector
	client, server := tcp(t, &inj)
	parked := make(chan error, 1)
	go func() {
		_, err := client.Read(make([]byte, 1))
		parked <- err
	}()
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpClock}}, Fault: fault.Reset{},
	}}})
	errno(t, <-parked, "read", syscall.ECONNRESET)
	_, err := server.Read(make([]byte, 1))
	errno(t, err, "read", syscall.ECONNRESET)
}

// Clients that set a deadline before each request hear of the reset from the
// request, as they do from a kernel, and not that they have closed.
func TestDeadlinesAfterTheEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault faultconn.Fault
		make  func(testing.TB, *faultconn.Injector) (client, server net.Conn)
		want  syscall.Errno
	}{
		{"reset of TCP", fault.Reset{}, tcp, syscall.ECONNRESET},
		{"reset in memory", fault.Reset{}, pipe, syscall.ECONNRESET},
		{"close without halves", fault.Close{}, func(t testing.TB, inj *faultconn.Injector) (net.Conn, net.Conn) {
			a, b := net.Pipe()
			t.Cleanup(func() { b.Close() })
			return inj.Conn("db", a), b
		}, syscall.EPIPE},
	} {
		var inj faultconn.Injector
		struck := make(chan struct{})
		inj.OnEvent = func(faultconn.Event) { close(struck) }
		client, server := c.make(t, &inj)
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
			Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpClock}}, Fault: c.fault,
		}}})
		<-struck
		server.Read(make([]byte, 1)) // which ends when the fault has taken place
		for _, set := range []func(time.Time) error{client.SetDeadline, client.SetReadDeadline, client.SetWriteDeadline} {
			if err := set(time.Now().Add(time.Minute)); err != nil {
				t.Errorf("%s: setting a deadline: %v", c.name, err)
			}
		}
		if _, err := client.Write([]byte("x")); !errors.Is(err, c.want) {
			t.Errorf("%s: write: %v", c.name, err)
		}
		client.Close()
		if err := client.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: setting a deadline after Close: %v", c.name, err)
		}
	}
}

// What an idle connection that has been reset says to all its user may do is what
// the kernel says of one whose peer has reset it.
func TestResetIsLikeTheRealThing(t *testing.T) {
	type all interface {
		net.Conn
		CloseWrite() error
		CloseRead() error
		SetLinger(int) error
		SetNoDelay(bool) error
		SetKeepAlive(bool) error
		SetReadBuffer(int) error
	}
	script := func(c all) (said []string) {
		say := func(what string, err error) {
			text := "nil"
			var o *net.OpError
			if errors.As(err, &o) {
				text = o.Op + ": " + o.Err.Error() // without the ports
			} else if err != nil {
				text = err.Error()
			}
			said = append(said, what+": "+text)
		}
		say("deadline", c.SetDeadline(time.Now().Add(time.Minute)))
		say("no delay", c.SetNoDelay(true))
		say("keep-alive", c.SetKeepAlive(true))
		say("buffer", c.SetReadBuffer(1<<15))
		say("close write", c.CloseWrite())
		say("close read", c.CloseRead())
		for range 2 {
			_, err := c.Write([]byte("x"))
			say("write", err)
		}
		_, err := c.Read(make([]byte, 1))
		say("read", err)
		say("linger", c.SetLinger(-1))
		say("close", c.Close())
		say("close", c.Close())
		say("deadline", c.SetDeadline(time.Time{}))
		say("no delay", c.SetNoDelay(true))
		say("close read", c.CloseRead())
		say("close write", c.CloseWrite())
		return said
	}
	var none, inj faultconn.Injector
	reset, server := tcp(t, &none)
	if err := server.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	raw, err := reset.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	waits, arrived := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(arrived)
		called := false
		raw.Read(func(uintptr) bool { // until there is something to read, which is left there
			if !called {
				close(waits)
			}
			defer func() { called = true }()
			return called
		})
	}()
	<-waits
	server.Close()
	<-arrived
	want := script(reset.(all))

	struck, peer := tcp(t, &inj)
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpClock}}, Fault: fault.Reset{},
	}}})
	peer.Read(make([]byte, 1)) // which ends when the fault has taken place
	got := script(struck.(all))
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAbortLetsTheRequestThrough(t *testing.T) {
	var inj faultconn.Injector
	client, server := tcp(t, &inj)
	must(t, &inj, one(fault.Abort{}))
	got := make(chan string, 1)
	go func() {
		b := make([]byte, 16)
		n, _ := server.Read(b)
		got <- string(b[:n])
		server.Write([]byte("done"))
	}()
	client.Write([]byte("request"))
	_, err := client.Read(make([]byte, 16))
	errno(t, err, "read", syscall.ECONNRESET)
	if g := <-got; g != "request" {
		t.Errorf("the server got %q", g)
	}
}

// On an accepted connection the reply is what is written.
func TestAbortOnTheServersSide(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var inj faultconn.Injector
	must(t, &inj, one(fault.Abort{}))
	wrapped := inj.Listener("clients", ln)
	defer wrapped.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		if c, err := wrapped.Accept(); err == nil {
			echo(c)
		}
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _, err = call(c, "hello")
	errno(t, err, "read", syscall.ECONNRESET)
	<-served
}

// A fault that ends a connection in good order must not turn into a RST because
// there was unread data.
func TestCloseIsSeenAsEndOfStream(t *testing.T) {
	var inj faultconn.Injector
	client, server := tcp(t, &inj)
	must(t, &inj, one(fault.Close{}))
	if _, err := server.Write(make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 9)); err != io.EOF {
		t.Errorf("client reads %v, want io.EOF", err)
	}
	_, err := client.Write([]byte("x"))
	errno(t, err, "write", syscall.EPIPE)
	server.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := server.Read(make([]byte, 9)); err != io.EOF {
		t.Errorf("server reads %v, want io.EOF", err)
	}
}

// What looks as if the peer had closed can be closed for reading and writing,
// though by now both sides have ended the socket.
func TestHalvesAfterClose(t *testing.T) {
	var inj faultconn.Injector
	client, server := tcp(t, &inj)
	must(t, &inj, one(fault.Close{}))
	if _, err := client.Write([]byte("x")); err == nil {
		t.Error("a write to what has been closed succeeds")
	}
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("server reads %v, want io.EOF", err)
	}
	server.Close()
	half := client.(interface {
		CloseRead() error
		CloseWrite() error
	})
	if err := half.CloseRead(); err != nil {
		t.Errorf("CloseRead: %v", err)
	}
	if err := half.CloseWrite(); err != nil {
		t.Errorf("CloseWrite: %v", err)
	}
	client.Close()
	if err := half.CloseRead(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("CloseRead after Close: %v", err)
	}
}

// The wrapped connection need not be a socket to fail like one.
func TestResetInMemory(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, one(fault.Reset{}))
	client, server := pipe(t, &inj)
	go server.Write([]byte("x"))
	_, err := client.Read(make([]byte, 1))
	errno(t, err, "read", syscall.ECONNRESET)
}

// Chains of wrappers lead to the socket.
func TestResetThroughNetConn(t *testing.T) {
	var inj faultconn.Injector
	plain, server := tcp(t, new(faultconn.Injector))
	client := inj.Conn("db", layer{plain})
	must(t, &inj, one(fault.Reset{}))
	client.Write([]byte("x"))
	_, err := server.Read(make([]byte, 1))
	errno(t, err, "read", syscall.ECONNRESET)
	client.Close()
}

// layer hides what its connection offers, but for the way down.
type layer struct{ net.Conn }

func (l layer) NetConn() net.Conn { return l.Conn }
