package faultconn_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

var reads = faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}

// flip replaces the byte it strikes.
type flip struct{}

func (flip) Kind() string { return "flip" }
func (flip) Inject(op faultconn.Op) faultconn.Effect {
	if op.Kind != faultconn.OpRead {
		return faultconn.Effect{}
	}
	return faultconn.Effect{Bytes: 1, Replace: true, With: "#"}
}

// Whatever the sizes of the reads on both sides, a rule strikes at its byte.
func TestOffsetsDoNotDependOnReadSizes(t *testing.T) {
	sent := bytes.Repeat([]byte("."), 5000)
	want := bytes.Clone(sent)
	for i := 1234; i < 1300; i++ {
		want[i] = '#'
	}
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 0))
		got := throughReads(t, faultconn.Plan{Rules: []faultconn.Rule{{
			When: faultconn.When{From: 1234, Until: 1300}, Scope: faultconn.PerByte, Fault: flip{},
		}}}, sent, r)
		if !bytes.Equal(got, want) {
			t.Fatalf("sizes of seed %d: faults at %v", seed, marks(got))
		}
	}
}

// Same seed, same traffic: the same bytes are struck.
func TestDrawsDoNotDependOnReadSizes(t *testing.T) {
	sent := bytes.Repeat([]byte("."), 20_000)
	plan := faultconn.Plan{Seed: 42, Rules: []faultconn.Rule{{Name: "flip", Scope: faultconn.PerByte, Chance: 0.001, Fault: flip{}}}}
	want := throughReads(t, plan, sent, rand.New(rand.NewPCG(1, 1)))
	if n := len(marks(want)); n < 5 || n > 45 {
		t.Fatalf("%d faults in 20000 bytes at 0.001", n)
	}
	for seed := range uint64(100) {
		got := throughReads(t, plan, sent, rand.New(rand.NewPCG(seed, 2)))
		if !bytes.Equal(got, want) {
			t.Fatalf("sizes of seed %d: faults at %v, want %v", seed, marks(got), marks(want))
		}
	}
	plan.Seed++
	if bytes.Equal(throughReads(t, plan, sent, rand.New(rand.NewPCG(1, 1))), want) {
		t.Error("another seed strikes the same bytes")
	}
}

// throughReads sends bytes in pieces of random size to a wrapped connection
// that reads pieces of random size.
func throughReads(t *testing.T, p faultconn.Plan, sent []byte, r *rand.Rand) []byte {
	t.Helper()
	var inj faultconn.Injector
	must(t, &inj, p)
	a, b := net.Pipe()
	client := inj.Conn("db", a)
	defer client.Close()
	sizes := rand.New(rand.NewPCG(r.Uint64(), 0))
	go func() {
		defer b.Close()
		for len(sent) > 0 {
			n := min(len(sent), 1+sizes.IntN(700))
			if _, err := b.Write(sent[:n]); err != nil {
				return
			}
			sent = sent[n:]
		}
	}()
	var got []byte
	for {
		piece := make([]byte, 1+r.IntN(700))
		n, err := client.Read(piece)
		got = append(got, piece[:n]...)
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func marks(b []byte) []int {
	var at []int
	for i, c := range b {
		if c == '#' {
			at = append(at, i)
		}
	}
	return at
}

// struck runs exchanges and says which of them a rule has struck.
func struck(t *testing.T, r faultconn.Rule, conns, exchanges int) [][]int {
	t.Helper()
	var mu sync.Mutex
	hits := make([][]int, conns)
	inj := faultconn.Injector{OnEvent: func(e faultconn.Event) {
		mu.Lock()
		hits[e.Conn-1] = append(hits[e.Conn-1], e.Exchange)
		mu.Unlock()
	}}
	must(t, &inj, faultconn.Plan{Seed: 3, Rules: []faultconn.Rule{r}})
	for range conns {
		client, server := pipe(t, &inj)
		go echo(server)
		for range exchanges {
			if _, _, err := call(client, "hello"); err != nil {
				t.Fatal(err)
			}
		}
		client.Close()
	}
	return hits
}

func TestWhen(t *testing.T) {
	tick := fault.Delay{For: time.Second}
	for _, c := range []struct {
		name string
		rule faultconn.Rule
		want string
	}{
		{"always", faultconn.Rule{}, "[[1 2 3 4 5 6] [1 2 3 4 5 6]]"},
		{"first", faultconn.Rule{When: faultconn.When{First: 2}}, "[[1 2] []]"},
		{"first of all connections", faultconn.Rule{When: faultconn.When{First: 8}}, "[[1 2 3 4 5 6] [1 2]]"},
		{"first on each connection", faultconn.Rule{When: faultconn.When{First: 2, PerConn: true}}, "[[1 2] [1 2]]"},
		{"warm-up", faultconn.Rule{When: faultconn.When{Skip: 4}}, "[[5 6] [1 2 3 4 5 6]]"},
		{"the third after a warm-up", faultconn.Rule{When: faultconn.When{Skip: 2, First: 1}}, "[[3] []]"},
		{"every fourth", faultconn.Rule{When: faultconn.When{Every: 4}}, "[[4] [2 6]]"},
		{"the last two of each four", faultconn.Rule{When: faultconn.When{Skip: 2, Cycle: 4}}, "[[3 4] [1 2 5 6]]"},
		{"flapping", faultconn.Rule{When: faultconn.When{Before: 500 * time.Millisecond, Period: 2 * time.Second}}, "[[1] []]"},
		{"pattern", faultconn.Rule{When: faultconn.When{Pattern: "ll"}}, "[[1 2 3 4 5 6] [1 2 3 4 5 6]]"},
		{"another pattern", faultconn.Rule{When: faultconn.When{Pattern: "oh"}}, "[[2 3 4 5 6] [2 3 4 5 6]]"},
		{"hits", faultconn.Rule{Limits: faultconn.Limits{Hits: 7}}, "[[1 2 3 4 5 6] [1]]"},
		{"connections", faultconn.Rule{Select: faultconn.Select{Conns: []int{2}}}, "[[] [1 2 3 4 5 6]]"},
		{"another point", faultconn.Rule{Select: faultconn.Select{Point: "cache"}}, "[[] []]"},
		{"another peer", faultconn.Rule{Select: faultconn.Select{Peer: "10.1.0.0/16"}}, "[[] []]"},
		{"peer", faultconn.Rule{Select: faultconn.Select{Peer: "127.0.0.0/8"}, When: faultconn.When{First: 1}}, "[[1] []]"},
		{"offset", faultconn.Rule{When: faultconn.When{From: 10, Until: 20}}, "[[3 4] [3 4]]"},
		{"window", faultconn.Rule{When: faultconn.When{Before: 2500 * time.Millisecond}}, "[[1 2 3] []]"},
		{"every second connection", faultconn.Rule{Scope: faultconn.PerConnection, When: faultconn.When{Every: 2}}, "[[] [1 2 3 4 5 6]]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.rule.Fault = tick
				if got := fmt.Sprint(struck(t, c.rule, 2, 6)); got != c.want {
					t.Errorf("struck %v, want %v", got, c.want)
				}
			})
		})
	}
}

// A refusal concerns dials only: what else happens is not counted.
func TestOnlyWhatAFaultConcernsIsCounted(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{When: faultconn.When{Every: 2}, Fault: fault.Refuse{}}}})
	dial := inj.Dialer("db", memory(t))
	var got []bool
	for range 4 {
		c, err := dial(t.Context(), "tcp", "db:1")
		got = append(got, err == nil)
		if err == nil {
			if _, _, err := call(c, "x"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if want := []bool{true, false, true, false}; !reflect.DeepEqual(got, want) {
		t.Errorf("dials worked: %v, want %v", got, want)
	}
}

// Over many units each fault of a mix gets its percentage.
func TestMix(t *testing.T) {
	for _, scope := range []faultconn.Scope{faultconn.PerExchange, faultconn.PerConnection, faultconn.PerOperation} {
		t.Run(string(scope), func(t *testing.T) {
			counts := map[string]int{}
			inj := faultconn.Injector{OnEvent: func(e faultconn.Event) { counts[e.Kind]++ }}
			must(t, &inj, faultconn.Plan{Seed: 5, Rules: []faultconn.Rule{{Select: reads, Scope: scope, Mix: []faultconn.Share{
				{Percent: 20, Fault: fault.Delay{For: 1}},
				{Percent: 30, Fault: flip{}},
				{Percent: 10, Fault: fault.Normal{}},
			}}}})
			const n = 4000
			if scope == faultconn.PerConnection {
				for range n {
					client, server := pipe(t, &inj)
					go echo(server)
					call(client, "x")
					client.Close()
				}
			} else {
				client, server := pipe(t, &inj)
				go echo(server)
				for range n {
					call(client, "x")
				}
			}
			for kind, want := range map[string]int{"delay": n * 20 / 100, "flip": n * 30 / 100, "normal": 0} {
				if got := counts[kind]; got < want*9/10 || got > want*11/10 {
					t.Errorf("%s struck %d times, want about %d", kind, got, want)
				}
			}
		})
	}
}

// Draws of one connection do not depend on the others, nor a named rule's on
// the rules around it.
func TestDrawsAreIndependent(t *testing.T) {
	rule := faultconn.Rule{Name: "half", Chance: 0.5, Fault: fault.Delay{For: 1}}
	alone := struck(t, rule, 4, 40)
	if reflect.DeepEqual(alone[0], alone[1]) {
		t.Error("two connections were struck in the same exchanges")
	}
	inj := faultconn.Injector{}
	var got [][]int
	inj.OnEvent = func(e faultconn.Event) {
		if e.Rule == "half" {
			got[e.Conn-1] = append(got[e.Conn-1], e.Exchange)
		}
	}
	must(t, &inj, faultconn.Plan{Seed: 3, Rules: []faultconn.Rule{{Name: "other", Chance: 0.3, Fault: fault.Delay{For: 1}}, rule}})
	clients := make([]net.Conn, 4)
	for i := range clients {
		client, server := pipe(t, &inj)
		go echo(server)
		clients[i], got = client, append(got, nil)
	}
	for range 40 { // interleaved
		for _, c := range clients {
			call(c, "hello")
		}
	}
	if !reflect.DeepEqual(got, alone) {
		t.Errorf("interleaved and with another rule: %v, alone: %v", got, alone)
	}
}

func TestUnfired(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{
		{Name: "hit", Fault: fault.Delay{For: 1}},
		{Name: "miss", Fault: fault.Refuse{}},
	}})
	client, server := pipe(t, &inj)
	go echo(server)
	call(client, "x")
	if got := inj.Unfired(); !reflect.DeepEqual(got, []string{"miss"}) {
		t.Errorf("unfired %q, want miss", got)
	}
	if inj.Hits("hit") != 1 || inj.Hits("miss") != 0 || inj.Hits("none") != 0 {
		t.Errorf("hits %d, %d, %d", inj.Hits("hit"), inj.Hits("miss"), inj.Hits("none"))
	}
}

func TestOwnFaultInPlanFile(t *testing.T) {
	plan, err := append(fault.Catalogue(), flip{}).Parse([]byte(`{"rules":[{"fault":{"kind":"flip"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := one(flip{}); !reflect.DeepEqual(plan.Rules[0].Fault, want.Rules[0].Fault) {
		t.Errorf("got %v", plan)
	}
	if _, err := fault.Catalogue().Parse([]byte(`{"rules":[{"fault":{"kind":"flip"}}]}`)); err == nil || !strings.Contains(err.Error(), "must be one of normal, delay") {
		t.Errorf("a fault that is not in the catalogue: %v", err)
	}
}

// Rules add up to the first that changes or ends the operation; those after it
// are not asked, and so neither strike nor count.
func TestRulesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{
			{Name: "one", Fault: fault.Delay{For: time.Second}},
			{Name: "two", Fault: fault.Delay{For: 2 * time.Second}},
			{Name: "garbage", Fault: fault.Garbage{Text: "no"}},
			{Name: "reset", Select: reads, Fault: fault.Reset{}},
		}})
		client, server := pipe(t, &inj)
		go echo(server)
		got, d, err := call(client, "hi")
		if got != "no" || d != 3*time.Second || err != nil {
			t.Errorf("%q after %v, %v", got, d, err)
		}
		if missed := inj.Unfired(); !reflect.DeepEqual(missed, []string{"reset"}) {
			t.Errorf("did not strike: %q", missed)
		}
	})
}
