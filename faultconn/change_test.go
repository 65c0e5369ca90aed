package faultconn_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// Plans come and go while connections are dialled, used, held, broken and
// closed; neither SetPlan nor Update waits for any of it, and nothing is left behind.
func TestPlansChangeUnderTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		inner, err := network.Listen("tcp", "db:1")
		if err != nil {
			t.Fatal(err)
		}
		inj := faultconn.Injector{OnEvent: func(faultconn.Event) {}}
		ln := inj.Listener("server", inner)
		var all sync.WaitGroup
		all.Go(func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				all.Go(func() { echo(c) })
			}
		})
		dial := inj.Dialer("client", network.DialContext)
		stop := make(chan struct{})
		for range 8 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond): // or time would stand still
					}
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					c, err := dial(ctx, "tcp", "db:1")
					cancel()
					if err != nil {
						continue
					}
					for range 5 {
						c.SetDeadline(time.Now().Add(time.Second))
						if _, _, err := call(c, "hello, this is a request"); err != nil {
							break
						}
						time.Sleep(time.Millisecond)
					}
					c.Close()
				}
			})
		}
		r := rand.New(rand.NewPCG(1, 1))
		faults := []faultconn.Fault{
			fault.Delay{For: time.Minute}, fault.Hang{}, fault.Blackout{}, fault.Abort{}, fault.Reset{}, fault.Close{},
			fault.Refuse{}, fault.Garbage{}, fault.BlackHole{}, fault.Slice{Size: 3}, fault.Bandwidth{Rate: 1000},
		}
		for i := range 100 {
			plan := faultconn.Plan{Seed: uint64(i)}
			for range r.IntN(4) {
				plan.Rules = append(plan.Rules, faultconn.Rule{
					Chance: 0.5, Fault: faults[r.IntN(len(faults))],
					When: faultconn.When{Age: time.Duration(r.IntN(2)) * 10 * time.Millisecond},
				})
			}
			before := time.Now()
			if i%2 == 0 {
				must(t, &inj, plan)
			} else {
				kept := inj.Plan()
				plan.Seed = kept.Seed
				plan.Rules = append(kept.Rules, plan.Rules...)
				update(t, &inj, plan)
			}
			if d := time.Since(before); d != 0 {
				t.Fatalf("the change waited %v", d)
			}
			time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
		}
		close(stop)
		must(t, &inj, faultconn.Plan{Seed: 999, Rules: []faultconn.Rule{{Select: faultconn.Select{Point: "none"}, Fault: fault.Hang{}}}})
		ln.Close()
		network.Close()
		all.Wait()
	})
}

// A limit on connections is on those that are open.
func TestLimitOfConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Fault: fault.Delay{For: time.Second}, Limits: faultconn.Limits{Conns: 1}}}})
		slow := func(c net.Conn) bool {
			_, d, err := call(c, "x")
			if err != nil {
				t.Fatal(err)
			}
			return d > 0
		}
		open := func() net.Conn {
			client, server := pipe(t, &inj)
			go echo(server)
			return client
		}
		a, b := open(), open()
		if !slow(a) || slow(b) || !slow(a) {
			t.Error("not the first connection alone is struck")
		}
		a.Close()
		if !slow(b) || slow(open()) {
			t.Error("the place of a closed connection is not taken by one other")
		}
	})
}

// Each period strikes idle connections at its beginning.
func TestClockOfEachPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
			When: faultconn.When{After: 10 * time.Second, Before: 20 * time.Second, Period: time.Minute}, Fault: fault.Blackout{},
		}}})
		start := time.Now()
		for i := range 3 {
			client, _ := pipe(t, &inj)
			if _, err := client.Read(make([]byte, 1)); err != io.EOF {
				t.Fatal(err)
			}
			if d, want := time.Since(start), time.Duration(i)*time.Minute+10*time.Second; d != want {
				t.Errorf("connection %d was struck after %v, want %v", i, d, want)
			}
			time.Sleep(20 * time.Second)
		}
	})
}

// An accepted connection that is lost is never returned, and the next one is.
func TestLostAccept(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Select: accepts, When: faultconn.When{First: 1}, Fault: fault.BlackHole{}}}})
	ln, dial := listen(t, &inj)
	lost, found := dial(), dial()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	go echo(c)
	if got, _, err := call(found, "hello"); got != "hello" {
		t.Errorf("exchange: %q, %v", got, err)
	}
	must(t, &inj, faultconn.Plan{})
	if _, err := lost.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the lost connection reads %v after the plan, want io.EOF", err)
	}
}

// A plan that is set outside of bubbles holds in them, and one injector serves
// several in turn: what waited in one is not touched from another.
func TestBubblesInTurn(t *testing.T) {
	rules := map[string]faultconn.When{
		"always": {}, "window": {Before: time.Hour}, "later": {After: time.Second}, "aged": {Age: time.Second},
	}
	for name, when := range rules {
		t.Run(name, func(t *testing.T) {
			var inj faultconn.Injector
			plan := faultconn.Plan{Rules: []faultconn.Rule{{Name: "r", When: when, Fault: fault.Delay{For: time.Minute}}}}
			must(t, &inj, plan)
			for i := range 3 {
				synctest.Test(t, func(t *testing.T) {
					if i == 2 {
						must(t, &inj, plan)
					}
					client, server := pipe(t, &inj)
					go echo(server)
					time.Sleep(2 * time.Second)
					if got, d, err := call(client, "hello"); got != "hello" || err != nil || d != time.Minute {
						t.Errorf("bubble %d: %q, %v after %v, want 1m", i, got, err, d)
					}
				})
			}
			must(t, &inj, faultconn.Plan{})
		})
	}
}

// A dial that waited in a bubble is not touched from another either.
func TestDialsOfBubblesInTurn(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Select: dials, Fault: fault.Delay{For: time.Minute}}}})
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			c, err := inj.Dialer("db", echoed)(t.Context(), "tcp", "db:1")
			if err != nil || time.Since(start) != time.Minute {
				t.Fatalf("dialled after %v, %v", time.Since(start), err)
			}
			c.Close()
		})
	}
	must(t, &inj, faultconn.Plan{})
}
