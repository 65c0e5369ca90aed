package faultconn_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// memory dials an echo server in memory.
func memory(t testing.TB) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		go echo(b)
		return a, nil
	}
}

var dials = faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpDial}}

// What a refused dial returns must be what the kernel's refusal returns.
func TestRefuseIsLikeTheRealThing(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	_, want := net.Dial("tcp", addr)

	var inj faultconn.Injector
	must(t, &inj, one(fault.Refuse{}))
	_, got := inj.Dialer("db", memory(t))(t.Context(), "tcp", addr)
	if got == nil || got.Error() != want.Error() || !errors.Is(got, syscall.ECONNREFUSED) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A dial whose context ends while a fault holds it fails as a slow dial does.
func TestHeldDialHonoursItsContext(t *testing.T) {
	for _, f := range []faultconn.Fault{fault.Hang{}, fault.Delay{For: time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			var inj faultconn.Injector
			must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Select: dials, Fault: f}}})
			dial := inj.Dialer("db", memory(t))
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := dial(ctx, "tcp", "db:1")
			var ne net.Error
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) != time.Second {
				t.Errorf("%v after %v, want a timeout after 1s", err, time.Since(start))
			}
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			if _, err = dial(ctx, "tcp", "db:1"); !errors.Is(err, context.Canceled) {
				t.Errorf("canceled dial: %v", err)
			}
			time.AfterFunc(time.Second, func() { inj.SetPlan(faultconn.Plan{}) })
			if _, err = dial(t.Context(), "tcp", "db:1"); err != nil {
				t.Errorf("dial whose plan was taken off: %v", err)
			}
		})
	}
}

func TestSlowDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Select: dials, Fault: fault.Delay{For: time.Minute}}}})
		start := time.Now()
		c, err := inj.Dialer("db", memory(t))(t.Context(), "tcp", "db:1")
		if err != nil || time.Since(start) != time.Minute {
			t.Fatalf("dialled with %v after %v", err, time.Since(start))
		}
		if _, d, err := call(c, "x"); d != 0 || err != nil {
			t.Errorf("the first exchange took %v, %v", d, err)
		}
	})
}

// One draw holds for a connection's life, its dial included.
func TestConnectionScopeBeginsWithTheDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{{
			Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpDial, faultconn.OpRead}},
			Scope:  faultconn.PerConnection, Chance: 0.5, Fault: fault.Delay{For: time.Second},
		}}})
		dial, slow := inj.Dialer("db", memory(t)), 0
		for range 40 {
			start := time.Now()
			c, err := dial(t.Context(), "tcp", "db:1")
			if err != nil {
				t.Fatal(err)
			}
			dialled := time.Since(start)
			for range 3 {
				if _, d, _ := call(c, "x"); d != dialled {
					t.Fatalf("dial took %v, an exchange %v", dialled, d)
				}
			}
			if dialled > 0 {
				slow++
			}
		}
		if slow < 10 || slow > 30 {
			t.Errorf("%d of 40 connections are slow", slow)
		}
	})
}

func TestBlackout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		dial := inj.Dialer("db", memory(t))
		idle, err := dial(t.Context(), "tcp", "db:1")
		if err != nil {
			t.Fatal(err)
		}
		parked := make(chan error, 1)
		go func() {
			_, err := idle.Read(make([]byte, 1))
			parked <- err
		}()
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
			Name: "outage", When: faultconn.When{After: time.Minute, Before: 3 * time.Minute}, Fault: fault.Blackout{},
		}}})
		start := time.Now()
		if err := <-parked; err == nil || time.Since(start) != time.Minute {
			t.Errorf("the idle connection ended with %v after %v, want 1m", err, time.Since(start))
		}
		if _, err := dial(t.Context(), "tcp", "db:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial during the outage: %v", err)
		}
		time.Sleep(2 * time.Minute)
		c, err := dial(t.Context(), "tcp", "db:1")
		if err != nil {
			t.Fatalf("dial after the outage: %v", err)
		}
		if got, _, err := call(c, "x"); got != "x" || err != nil {
			t.Errorf("exchange after the outage: %q, %v", got, err)
		}
	})
}

// A dial whose time is up reads as net's does.
func TestInterruptedDialIsLikeTheRealThing(t *testing.T) {
	const addr = "127.0.0.1:9"
	expired, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{expired, canceled} {
		_, want := new(net.Dialer).DialContext(ctx, "tcp", addr) // fails before it dials
		var inj faultconn.Injector
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Select: dials, Fault: fault.Hang{}}}})
		_, got := inj.Dialer("db", memory(t))(ctx, "tcp", addr)
		if got == nil || want == nil || got.Error() != want.Error() {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
		for _, kind := range []error{context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded} {
			if errors.Is(got, kind) != errors.Is(want, kind) {
				t.Errorf("%v: is %v: %v, want %v", got, kind, errors.Is(got, kind), errors.Is(want, kind))
			}
		}
		var g, w net.Error
		if !errors.As(got, &g) || !errors.As(want, &w) || g.Timeout() != w.Timeout() {
			t.Errorf("%v: timeout %v, want %v", got, g.Timeout(), w.Timeout())
		}
	}
}
