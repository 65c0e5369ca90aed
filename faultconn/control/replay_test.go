package control

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// TestReplay repeats what struck the connections of a run, under another seed,
// until something is changed.
func TestReplay(t *testing.T) {
	up := echo(t)
	p := func(seed uint64) Proxy {
		return Proxy{Name: "db", Upstream: up, Behavior: "30:abort",
			Plan:   faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{{Chance: 0.3, Fault: fault.Garbage{Text: "?????\n"}}}},
			Toxics: []Toxic{{Type: "limit_data", Stream: "downstream", Toxicity: 0.2, Attributes: map[string]int64{"bytes": 3}}},
		}
	}
	// run makes exchanges over connections of their own, and returns what came back
	// and which faults struck.
	run := func(p Proxy, then func(*Server)) (got []string, log []faultconn.Event) {
		var mu sync.Mutex
		s := &Server{OnFault: func(e faultconn.Event) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, e)
		}}
		defer s.Close()
		if err := s.Add(p); err != nil {
			t.Fatal(err)
		}
		if then != nil {
			then(s)
		}
		f := &fixture{T: t, Server: s}
		for range 40 {
			c := f.dial()
			text, err := c.ask("hello")
			if err != nil {
				text += " ..."
			}
			got = append(got, text)
			_ = c.Close()
		}
		return got, log
	}
	first, log := run(p(1), nil)
	if len(log) < 10 || len(log) > 70 {
		t.Fatalf("%d faults have struck: %q", len(log), first)
	}
	again := p(2)
	again.Replay = append(slices.Clone(log), faultconn.Event{Point: "another", Rule: "unknown"})
	got, repeated := run(again, nil)
	if !slices.Equal(got, first) {
		t.Errorf("replayed\n%q\nwant\n%q", got, first)
	}
	struck := func(log []faultconn.Event) []string {
		var all []string
		for _, e := range log {
			all = append(all, fmt.Sprint(e.Rule, " ", e.Kind, " ", e.Conn, " ", e.Op, " ", e.Offset))
		}
		slices.Sort(all)
		return all
	}
	if got, want := struck(repeated), struck(log); !slices.Equal(got, want) {
		t.Errorf("replayed\n%q\nwant\n%q", got, want)
	}
	again.Replay = []faultconn.Event{}
	if got, log := run(again, nil); len(log) > 0 || slices.ContainsFunc(got, func(s string) bool { return s != "hello" }) {
		t.Errorf("after an empty log %d faults have struck: %q", len(log), got)
	}
	if _, log := run(again, func(s *Server) {
		if err := s.SetPlan("db", again.Plan); err != nil {
			t.Fatal(err)
		}
		if s.Proxies()[0].Replay != nil {
			t.Error("it is still replayed after a change")
		}
	}); len(log) == 0 {
		t.Error("after a change no fault has struck")
	}
}

func TestReplayRefusesAnotherPlansLog(t *testing.T) {
	var s Server
	defer s.Close()
	err := s.Add(Proxy{Name: "db", Upstream: "x:1", Replay: []faultconn.Event{{Point: "db", Rule: "slow", Kind: "delay", Op: faultconn.OpRead, Conn: 1}}})
	if err == nil || !strings.Contains(err.Error(), `rule "slow" is in the log but not in the plan`) || len(s.Proxies()) > 0 {
		t.Errorf("%v, and there are %v", err, s.Proxies())
	}
}
