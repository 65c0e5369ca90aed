package faultconn_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

var accepts = faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpAccept}}

func listen(t *testing.T, inj *faultconn.Injector) (wrapped net.Listener, dial func() net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wrapped = inj.Listener("clients", ln)
	t.Cleanup(func() { wrapped.Close() })
	return wrapped, func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

// One slow accept must not hold up Close, and the connection must not leak.
func TestCloseWakesASlowAccept(t *testing.T) {
	for _, f := range []faultconn.Fault{fault.Hang{}, fault.Delay{For: time.Hour}} {
		held := make(chan struct{}, 1)
		inj := faultconn.Injector{OnEvent: func(faultconn.Event) { held <- struct{}{} }}
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Select: accepts, Fault: f}}})
		ln, dial := listen(t, &inj)
		c := dial()
		accepted := make(chan error, 1)
		go func() {
			_, err := ln.Accept()
			accepted <- err
		}()
		<-held
		ln.Close()
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept: %v, want net.ErrClosed", err)
		}
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the client reads %v, want io.EOF", err)
		}
	}
}

// What has been accepted into a black hole and is over when another plan comes
// does not take up a place of the limit for ever.
func TestLostAcceptGivesItsPlaceBack(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, rules(faultconn.Rule{Name: "lost", Select: accepts, Fault: fault.BlackHole{}, Limits: faultconn.Limits{Conns: 1}}))
	ln, dial := listen(t, &inj)
	for i := 1; i <= 2; i++ {
		lost := dial()
		dial()
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if n := inj.Hits("lost"); n != i {
			t.Errorf("%d hits, want %d", n, i)
		}
		undo, err := inj.With(faultconn.Plan{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := lost.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the lost connection reads %v, want io.EOF", err)
		}
		undo()
	}
}

// A failed accept leaves the connection for the next, as with EMFILE.
func TestFailedAcceptKeepsTheConnection(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Select: accepts, Fault: fault.Fail{With: "too-many-files"}}}})
	ln, dial := listen(t, &inj)
	client := dial()
	_, err := ln.Accept()
	if !errors.Is(err, syscall.EMFILE) {
		t.Fatalf("accept: %v, want EMFILE", err)
	}
	if ne, ok := err.(interface{ Temporary() bool }); !ok || !ne.Temporary() {
		t.Errorf("%v is not temporary: net/http would give up", err)
	}
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go echo(c)
	if got, _, err := call(client, "hello"); got != "hello" {
		t.Errorf("exchange: %q, %v", got, err)
	}
}

func TestBlackoutOfAcceptedConnections(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, one(fault.Blackout{}))
	ln, dial := listen(t, &inj)
	client := dial()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the server reads %v, want io.EOF", err)
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client reads %v, want io.EOF", err)
	}
}

func TestListenerPassesThrough(t *testing.T) {
	var inj faultconn.Injector
	ln, dial := listen(t, &inj)
	if _, ok := ln.(interface{ SetDeadline(time.Time) error }); !ok {
		t.Error("a TCP listener has lost SetDeadline")
	}
	client := dial()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go echo(c)
	if got, _, err := call(client, "hello"); got != "hello" {
		t.Errorf("exchange: %q, %v", got, err)
	}
}
