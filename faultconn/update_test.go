package faultconn_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

func rules(r ...faultconn.Rule) faultconn.Plan { return faultconn.Plan{Rules: r} }

// bystander is a rule that changes nothing here.
func bystander(i int) faultconn.Rule {
	return faultconn.Rule{Name: fmt.Sprint("bystander ", i), Select: faultconn.Select{Point: "elsewhere"}, Fault: fault.Hang{}}
}

// Rules that come and go do not disturb those that stay: with the same traffic
// they strike at the same places, as often, with the same draws.
func TestUpdateDoesNotDisturbOtherRules(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		kept := keptRules(r)
		alone := keptEvents(t, seed, kept, false)
		among := keptEvents(t, seed, kept, true)
		if !slices.Equal(alone, among) {
			t.Fatalf("seed %d, rules %v: alone\n%q\nwith updates of others\n%q", seed, faultconn.Plan{Rules: kept}, alone, among)
		}
	}
}

// keptRules depend on places, draws and counts only, not on time, which other
// rules take.
func keptRules(r *rand.Rand) []faultconn.Rule {
	faults := []faultconn.Fault{
		fault.Delay{For: time.Millisecond}, fault.Delay{For: time.Millisecond, Jitter: time.Millisecond},
		fault.Delay{Step: time.Millisecond, Max: 9 * time.Millisecond, Fall: true}, fault.Corrupt{}, fault.Loss{Again: 0.3},
	}
	scopes := []faultconn.Scope{faultconn.PerExchange, faultconn.PerConnection, faultconn.PerByte}
	kept := make([]faultconn.Rule, 1+r.IntN(3))
	for i := range kept {
		k := faultconn.Rule{
			Name: fmt.Sprint("kept ", i), Fault: faults[r.IntN(len(faults))],
			Scope: scopes[r.IntN(len(scopes))], Chance: []float64{0.1, 0.5, 1}[r.IntN(3)],
		}
		if r.IntN(2) == 0 {
			k.When = faultconn.When{Skip: r.IntN(4), Every: r.IntN(3), First: r.IntN(9), PerConn: r.IntN(2) == 0}
		}
		switch r.IntN(4) {
		case 0:
			k.When.From = int64(r.IntN(500))
			k.When.Until = k.When.From + 1 + int64(r.IntN(1000))
		case 1:
			k.When.Pattern = "zz"
		case 2:
			k.Limits = faultconn.Limits{Hits: r.IntN(6), Conns: r.IntN(3)}
		case 3:
			k.Scope, k.Select.Ops, k.Fault = faultconn.PerOperation, []faultconn.OpKind{faultconn.OpWrite}, fault.Delay{For: time.Millisecond}
		}
		kept[i] = k
	}
	return kept
}

// otherRules delay and cut, and leave the rest to the others.
func otherRules(r *rand.Rand) []faultconn.Rule {
	faults := []faultconn.Fault{
		fault.Delay{For: time.Millisecond}, fault.Slice{Size: 7}, fault.Bandwidth{Rate: 100_000}, fault.Loss{},
	}
	others := make([]faultconn.Rule, r.IntN(4))
	for i := range others {
		others[i] = faultconn.Rule{
			Name: fmt.Sprint("other ", i), Fault: faults[r.IntN(len(faults))], Chance: 0.7,
			When: faultconn.When{From: int64(r.IntN(50)), Pattern: []string{"", "a"}[r.IntN(2)]},
		}
	}
	return others
}

// keptEvents are those of the kept rules in 60 exchanges on three connections.
func keptEvents(t *testing.T, seed uint64, kept []faultconn.Rule, updates bool) (events []string) {
	synctest.Test(t, func(t *testing.T) {
		inj := faultconn.Injector{OnEvent: func(e faultconn.Event) {
			if e.Rule[0] == 'k' {
				events = append(events, fmt.Sprint(e, e.Hit))
			}
		}}
		must(t, &inj, faultconn.Plan{Seed: seed, Rules: kept})
		traffic, changes := rand.New(rand.NewPCG(seed, 2)), rand.New(rand.NewPCG(seed, 3))
		change := func() {
			if updates {
				all := otherRules(changes)
				for _, k := range kept { // in their order, anywhere
					at := changes.IntN(len(all) + 1)
					if i := slices.IndexFunc(all, func(r faultconn.Rule) bool { return r.Name[0] == 'k' }); i >= 0 {
						at = len(all)
					}
					all = slices.Insert(all, at, k)
				}
				update(t, &inj, faultconn.Plan{Seed: seed, Rules: all})
			}
		}
		conns := make([]net.Conn, 3)
		for i := range conns {
			var server net.Conn
			conns[i], server = pipe(t, &inj)
			go echo(server)
		}
		for range 60 {
			c := conns[traffic.IntN(len(conns))]
			text := make([]byte, 1+traffic.IntN(100))
			for i := range text {
				text[i] = "abz"[traffic.IntN(3)]
			}
			change()
			if _, err := c.Write(text); err != nil {
				t.Fatal(err)
			}
			change()
			half := len(text) / 2
			if _, err := io.ReadFull(c, text[:half]); err != nil {
				t.Fatal(err)
			}
			change()
			if _, err := io.ReadFull(c, text[half:]); err != nil {
				t.Fatal(err)
			}
		}
	})
	return events
}

// What a rule holds stays held as long as the rule goes on, whatever comes and
// goes around it, and is let go when the rule does.
func TestUpdateKeepsWhatIsHeld(t *testing.T) {
	ops := func(o ...faultconn.OpKind) faultconn.Select { return faultconn.Select{Point: "db", Ops: o} }
	read := func(inj *faultconn.Injector, t *testing.T) func() error {
		client, server := pipe(t, inj)
		go echo(server)
		return func() error { _, _, err := call(client, "hello"); return err }
	}
	write := func(inj *faultconn.Injector, t *testing.T) func() error {
		client, server := pipe(t, inj)
		go echo(server)
		return func() error { _, err := client.Write([]byte("hello")); return err }
	}
	dial := func(inj *faultconn.Injector, t *testing.T) func() error {
		d := inj.Dialer("db", echoed)
		return func() error {
			c, err := d(t.Context(), "tcp", "db:1")
			if err == nil {
				c.Close()
			}
			return err
		}
	}
	accept := func(inj *faultconn.Injector, t *testing.T) func() error {
		var network memnet.Network
		inner, err := network.Listen("tcp", "db:1")
		if err != nil {
			t.Fatal(err)
		}
		ln := inj.Listener("db", inner)
		c, err := network.DialContext(t.Context(), "tcp", "db:1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			c.Close()
			ln.Close()
			network.Close()
		})
		return func() error {
			c, err := ln.Accept()
			if err == nil {
				c.Close()
			}
			return err
		}
	}
	shut := func(inj *faultconn.Injector, t *testing.T) func() error {
		client, _ := pipe(t, inj)
		return client.Close
	}
	for _, c := range []struct {
		name    string
		op      func(*faultconn.Injector, *testing.T) func() error
		sel     faultconn.Select
		hanging bool
	}{
		{"read", read, ops(faultconn.OpRead), true},
		{"write", write, ops(faultconn.OpWrite), true},
		{"dial", dial, ops(faultconn.OpDial), true},
		{"accept", accept, ops(faultconn.OpAccept), true},
		{"close", shut, ops(faultconn.OpClose), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				long := faultconn.Rule{Name: "long", Select: c.sel, Fault: fault.Delay{For: time.Minute}}
				more := faultconn.Rule{Name: "more", Select: c.sel, Fault: fault.Delay{For: 5 * time.Second}}
				took := func(op func() error, changes ...faultconn.Plan) time.Duration {
					start := time.Now()
					var changing sync.WaitGroup
					changing.Go(func() {
						for _, p := range changes {
							time.Sleep(10 * time.Second)
							update(t, &inj, p)
						}
					})
					if err := op(); err != nil {
						t.Error(err)
					}
					d := time.Since(start)
					changing.Wait()
					return d
				}
				must(t, &inj, rules(long))
				if d := took(c.op(&inj, t), rules(long, bystander(1)), rules(bystander(2), long), rules(long)); d != time.Minute {
					t.Errorf("a delay of 1m that goes on took %v", d)
				}
				must(t, &inj, rules(long, more))
				if d := took(c.op(&inj, t), rules(long)); d != time.Minute {
					t.Errorf("without the 5s of the rule that went, it took %v, want 1m", d)
				}
				must(t, &inj, rules(long))
				if d := took(c.op(&inj, t), rules(long, more), rules(bystander(1), more)); d != 20*time.Second {
					t.Errorf("it was held for %v by a rule that went after 20s", d)
				}
				if !c.hanging {
					return
				}
				hang := faultconn.Rule{Name: "hang", Select: c.sel, Fault: fault.Hang{}}
				must(t, &inj, rules(hang))
				if d := took(c.op(&inj, t), rules(hang, bystander(1)), rules(hang), rules(bystander(1))); d != 30*time.Second {
					t.Errorf("it hung for %v, want 30s", d)
				}
			})
		})
	}
}

// A connection's end by the clock comes when it would have come.
func TestUpdateKeepsClocks(t *testing.T) {
	for name, when := range map[string]faultconn.When{
		"age":    {Age: 10 * time.Second},
		"after":  {After: 10 * time.Second},
		"period": {After: 10 * time.Second, Before: 11 * time.Second, Period: 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				end := faultconn.Rule{Name: "end", When: when, Fault: fault.Close{}}
				must(t, &inj, rules(end))
				client, _ := pipe(t, &inj)
				start := time.Now()
				go func() {
					for i := range 3 {
						time.Sleep(3 * time.Second)
						update(t, &inj, rules(bystander(i), end))
					}
				}()
				if _, err := client.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != 10*time.Second {
					t.Errorf("ended with %v after %v, want EOF after 10s", err, time.Since(start))
				}
			})
		})
	}
}

// A rule that comes later counts bytes, exchanges and time from there.
func TestUpdateBeginsNewRulesHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		log := record(&inj)
		first := faultconn.Rule{Name: "first", Fault: fault.Delay{For: time.Second}}
		must(t, &inj, rules(first))
		client, server := pipe(t, &inj)
		go echo(server)
		for range 3 {
			call(client, "hello")
		}
		second := faultconn.Rule{Name: "second", Fault: fault.Delay{For: time.Second}, When: faultconn.When{After: time.Second}}
		update(t, &inj, rules(second, first))
		for range 3 {
			call(client, "hello")
		}
		var got []string
		for _, e := range log()[3:] {
			got = append(got, fmt.Sprint(e.Rule, " ", e.Exchange, " ", e.Offset, " ", e.Hit))
		}
		want := []string{"first 4 15 3", "second 2 5 0", "first 5 20 4", "second 3 10 1", "first 6 25 5"}
		if !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		if inj.Hits("first") != 6 || inj.Hits("second") != 2 {
			t.Errorf("%d and %d hits, want 6 and 2", inj.Hits("first"), inj.Hits("second"))
		}
	})
}

// The schedule of a rate goes on, and a stream is no faster for the changes.
func TestUpdateKeepsRates(t *testing.T) {
	for _, shared := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var inj faultconn.Injector
			slow := faultconn.Rule{Name: "slow", Fault: fault.Bandwidth{Rate: 1000, Shared: shared}}
			must(t, &inj, rules(slow))
			client, server := pipe(t, &inj)
			start := time.Now()
			go func() {
				server.Write(make([]byte, 10_000))
				server.Close()
			}()
			go func() {
				for i := range 99 {
					time.Sleep(99 * time.Millisecond)
					update(t, &inj, rules(slow, bystander(i)))
				}
			}()
			n, err := io.Copy(io.Discard, client)
			if d := time.Since(start); n != 10_000 || err != nil || d != 10*time.Second {
				t.Errorf("shared %v: %d bytes, %v in %v, want 10000 in 10s", shared, n, err, d)
			}
		})
	}
}

// A place among the struck connections is kept.
func TestUpdateKeepsLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		slow := faultconn.Rule{Name: "slow", Fault: fault.Delay{For: time.Second}, Limits: faultconn.Limits{Conns: 1}}
		must(t, &inj, rules(slow))
		open := func() func() bool {
			client, server := pipe(t, &inj)
			go echo(server)
			return func() bool { _, d, _ := call(client, "x"); return d > 0 }
		}
		a, b := open(), open()
		if !a() {
			t.Fatal("the first connection is not struck")
		}
		update(t, &inj, rules(slow, bystander(1)))
		if b() || !a() {
			t.Error("the second connection is struck, or the first is not")
		}
	})
}

// What was closed into a black hole comes out when the rule goes.
func TestUpdateKeepsTheLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		hole := faultconn.Rule{Name: "hole", Fault: fault.BlackHole{}}
		must(t, &inj, rules(hole))
		client, server := pipe(t, &inj)
		client.Close()
		update(t, &inj, rules(hole, bystander(1)))
		server.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := server.Read(make([]byte, 1)); err == io.EOF {
			t.Error("the peer has seen the end, though the rule goes on")
		}
		update(t, &inj, rules(bystander(1)))
		server.SetReadDeadline(time.Time{})
		if _, err := server.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer reads %v once the rule is gone, want EOF", err)
		}
	})
}

// remember is a fault that keeps what it has seen, as those of package framing
// do.
type remember struct {
	Every int

	mu   sync.Mutex
	seen int
}

func (*remember) Kind() string { return "remember" }

func (r *remember) Inject(op faultconn.Op) faultconn.Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen++
	return faultconn.Effect{Hit: r.seen%r.Every == 0}
}

// Which rules are the same.
func TestUpdateGoesOnWithEqualRules(t *testing.T) {
	delay := fault.Delay{For: time.Second}
	reads := faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}
	same := &remember{Every: 1}
	for _, c := range []struct {
		name          string
		before, after faultconn.Plan
		goesOn        bool
	}{
		{"equal", one(delay), one(fault.Delay{For: time.Second}), true},
		{"another fault", one(delay), one(fault.Delay{For: 2 * time.Second}), false},
		{"another kind", one(delay), one(fault.Loss{}), false},
		{"another seed", one(delay), faultconn.Plan{Seed: 1, Rules: one(delay).Rules}, false},
		{"another name", one(delay), rules(faultconn.Rule{Name: "q", Fault: delay}), false},
		{"equal operations", rules(faultconn.Rule{Name: "r", Select: reads, Fault: delay}), rules(faultconn.Rule{Name: "r", Select: reads, Fault: delay}), true},
		{"another selection", one(delay), rules(faultconn.Rule{Name: "r", Select: reads, Fault: delay}), false},
		{"default scope", one(delay), rules(faultconn.Rule{Name: "r", Scope: faultconn.PerExchange, Fault: delay}), true},
		{"another limit", one(delay), rules(faultconn.Rule{Name: "r", Limits: faultconn.Limits{Hits: 9}, Fault: delay}), false},
		{"moved", rules(bystander(1), one(delay).Rules[0]), rules(one(delay).Rules[0], bystander(1)), true},
		{"unnamed in its place", rules(faultconn.Rule{Fault: delay}), rules(faultconn.Rule{Fault: delay}, bystander(1)), true},
		{"unnamed in another place", rules(faultconn.Rule{Fault: delay}), rules(bystander(1), faultconn.Rule{Fault: delay}), false},
		{"a pointer", one(same), one(same), true},
		{"equal pointers", one(&remember{Every: 1}), one(&remember{Every: 1}), true},
		{"pointers to others", one(&remember{Every: 1}), one(&remember{Every: 2}), false},
		{"equal mix", rules(faultconn.Rule{Name: "r", Mix: []faultconn.Share{{Percent: 100, Fault: delay}}}),
			rules(faultconn.Rule{Name: "r", Mix: []faultconn.Share{{Percent: 100, Fault: delay}}}), true},
		{"another mix", rules(faultconn.Rule{Name: "r", Mix: []faultconn.Share{{Percent: 100, Fault: delay}}}),
			rules(faultconn.Rule{Name: "r", Mix: []faultconn.Share{{Percent: 99, Fault: delay}}}), false},
		{"equal tables", one(fault.Delay{Table: []time.Duration{1, 2}}), one(fault.Delay{Table: []time.Duration{1, 2}}), true},
		{"other tables", one(fault.Delay{Table: []time.Duration{1, 2}}), one(fault.Delay{Table: []time.Duration{1, 3}}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, c.before)
				client, server := pipe(t, &inj)
				go echo(server)
				call(client, "x")
				name := func() string {
					for i, r := range inj.Plan().Rules {
						if r.Name == "" {
							return fmt.Sprint("rule ", i+1)
						}
						if r.Name != "bystander 1" {
							return r.Name
						}
					}
					return ""
				}
				if inj.Hits(name()) != 1 {
					t.Fatalf("%q has struck %d times, want once", name(), inj.Hits(name()))
				}
				update(t, &inj, c.after)
				if goesOn := inj.Hits(name()) == 1; goesOn != c.goesOn {
					t.Errorf("goes on: %v, want %v", goesOn, c.goesOn)
				}
			})
		})
	}
}

// The value of a fault that remembers stays in force with what it has seen, and
// is the one that Plan tells of.
func TestUpdateKeepsFaultsThatRemember(t *testing.T) {
	var inj faultconn.Injector
	old := &remember{Every: 2}
	must(t, &inj, one(old))
	client, server := pipe(t, &inj)
	go echo(server)
	call(client, "x")
	update(t, &inj, rules(faultconn.Rule{Name: "r", Fault: &remember{Every: 2}}, bystander(1)))
	if inj.Plan().Rules[0].Fault != old {
		t.Error("the fault in force is another value")
	}
	for range 3 {
		call(client, "x")
	}
	if old.seen < 4 {
		t.Errorf("it has seen %d operations, want all of them", old.seen)
	}
}

// A rule that followed a log does not go on by itself.
func TestUpdateAfterReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		log := record(&inj)
		plan := one(fault.Delay{For: time.Second})
		e := faultconn.Event{Rule: "r", Kind: "delay", Point: "db", Conn: 1, Op: faultconn.OpRead, Offset: 1, Exchange: 2}
		if err := inj.Replay(plan, []faultconn.Event{e}); err != nil {
			t.Fatal(err)
		}
		client, server := pipe(t, &inj)
		go echo(server)
		for range 2 {
			call(client, "x")
		}
		update(t, &inj, plan)
		call(client, "x")
		if got := log(); len(got) != 2 || got[0].Exchange != 2 || got[1].Exchange != 1 || got[1].Hit != 0 {
			t.Errorf("events %v, want one of the log, and one of a rule that has begun", got)
		}
	})
}

// With goes back to what an Update has left.
func TestUpdateAndWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		slow := one(fault.Delay{For: time.Second})
		must(t, &inj, slow)
		client, server := pipe(t, &inj)
		go echo(server)
		late := func() time.Duration { _, d, _ := call(client, "x"); return d }
		late()
		update(t, &inj, rules(slow.Rules[0], bystander(1)))
		late()
		undo, err := inj.With(one(fault.Delay{For: time.Minute}))
		if err != nil {
			t.Fatal(err)
		}
		if d := late(); d != time.Minute || inj.Hits("r") != 1 {
			t.Errorf("with another plan: %v, %d hits", d, inj.Hits("r"))
		}
		update(t, &inj, rules(one(fault.Delay{For: time.Minute}).Rules[0], bystander(2)))
		if d := late(); d != time.Minute || inj.Hits("r") != 2 {
			t.Errorf("with another plan that was changed: %v, %d hits", d, inj.Hits("r"))
		}
		undo()
		if d := late(); d != time.Second || inj.Hits("r") != 3 || len(inj.Plan().Rules) != 2 {
			t.Errorf("after undo: %v, %d hits, plan %v", d, inj.Hits("r"), inj.Plan())
		}
		update(t, &inj, slow)
		if d := late(); d != time.Second || inj.Hits("r") != 4 {
			t.Errorf("updated after undo: %v, %d hits", d, inj.Hits("r"))
		}
	})
}

// With that is undone at once has let go what was held.
func TestWithLetsGoWhatWasHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Hang{}))
		client, server := pipe(t, &inj)
		go echo(server)
		go func() {
			time.Sleep(time.Second)
			undo, err := inj.With(faultconn.Plan{})
			if err != nil {
				t.Error(err)
			}
			undo()
		}()
		client.SetReadDeadline(time.Now().Add(time.Minute))
		if got, d, err := call(client, "hello"); got != "hello" || d != time.Second {
			t.Errorf("%q, %v after %v, want it after 1s", got, err, d)
		}
	})
}

// Updates meet on one injector, in any order, and a bad one changes nothing.
func TestUpdateIsAtomic(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, one(fault.Delay{For: time.Nanosecond}))
	client, server := pipe(t, &inj)
	go echo(server)
	ctx, cancel := context.WithCancel(t.Context())
	var changing sync.WaitGroup
	for i := range 4 {
		changing.Go(func() {
			for ctx.Err() == nil {
				update(t, &inj, rules(one(fault.Delay{For: time.Nanosecond}).Rules[0], bystander(i)))
			}
		})
	}
	const n = 100
	for range n {
		if _, _, err := call(client, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	if err := inj.Update(rules(faultconn.Rule{Name: "r"})); err == nil {
		t.Error("a plan that is not valid is put in force")
	}
	cancel()
	changing.Wait()
	if h := inj.Hits("r"); h != n {
		t.Errorf("%d hits in %d exchanges", h, n)
	}
}

// Rules that are switched off and on leave the others what they are, in what
// Plan returns too.
func TestUpdateBesideRulesThatAreOff(t *testing.T) {
	var inj faultconn.Injector
	plan := func(off ...bool) faultconn.Plan {
		return rules(
			faultconn.Rule{Name: "a", Fault: fault.Hang{}, Off: off[0]},
			faultconn.Rule{Name: "b", Fault: fault.Delay{For: time.Second}, Off: off[1]},
			faultconn.Rule{Name: "c", Mix: []faultconn.Share{{Percent: 50, Fault: fault.Reset{}}}, Off: off[2]},
		)
	}
	must(t, &inj, plan(false, false, false))
	for i := range 64 {
		p := plan(i&1 > 0, i*5/3&2 > 0, i*7/5&4 > 0)
		update(t, &inj, p)
		if got := inj.Plan(); got.String() != p.String() {
			t.Fatalf("update %d put in force\n%v\nwant\n%v", i, got, p)
		}
	}
}
