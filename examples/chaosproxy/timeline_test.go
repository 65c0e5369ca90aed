package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/control"
)

// played is a timeline that runs for some seconds of virtual time, in each of
// which do is called.
func played(seconds int, totals func() []control.Total, do func(*timeline, int)) *timeline {
	line := newTimeline(totals)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { line.run(ctx) })
	time.Sleep(time.Second / 2)
	for i := range seconds {
		do(line, i)
		time.Sleep(time.Second)
	}
	cancel()
	running.Wait()
	return line
}

func TestTimeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		total := control.Total{Proxy: "db", Revision: 1}
		totals := func() []control.Total {
			mu.Lock()
			defer mu.Unlock()
			return []control.Total{total, {Proxy: "cache"}}
		}
		line := played(4, totals, func(line *timeline, i int) {
			mu.Lock()
			defer mu.Unlock()
			switch i {
			case 0:
				total.Up, total.Down, total.Connections = 100, 1000, 2
			case 1:
				total.Up, total.Faults, total.Revision = 150, 2, 2
				for range 2 {
					line.fault(faultconn.Event{Point: "db", Rule: "slow", Kind: "delay"})
				}
			case 3:
				total = control.Total{Proxy: "db", Revision: 1, Up: 7} // removed, and created again
			}
		})
		var got []moment
		for _, s := range line.since(0, []string{"db", "unknown"}) {
			if len(s.Proxies) != 1 {
				t.Errorf("second %d has %v", s.Number, s.Proxies)
			}
			got = append(got, s.Proxies["db"])
		}
		want := []moment{
			{Up: 100, Down: 1000, Connections: 2, Revision: 1},
			{Up: 50, Connections: 2, Revision: 2, Faults: 2, Strikes: &strikes{Rules: map[string]int{"slow": 2}}},
			{Connections: 2, Revision: 2},
			{Up: 7, Revision: 1},
		}
		if len(got) != len(want) {
			t.Fatalf("%d seconds, want %d", len(got), len(want))
		}
		for i := range want {
			if s := got[i].Strikes; s != nil {
				if len(s.Events) != 2 {
					t.Errorf("events: %q", s.Events)
				}
				s.Events = nil
			}
			if a, b := fmt.Sprint(text(t, got[i])), fmt.Sprint(text(t, want[i])); a != b {
				t.Errorf("second %d: %s, want %s", i+1, a, b)
			}
		}
		if later := line.since(3, []string{"db"}); len(later) != 1 || later[0].Number != 4 {
			t.Errorf("after 3: %v", later)
		}
	})
}

// TestTimelineForgets runs for an hour, through a storm.
func TestTimelineForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := played(3600, func() []control.Total { return []control.Total{{Proxy: "db"}} }, func(line *timeline, i int) {
			for n := range 100 {
				line.fault(faultconn.Event{Point: "db", Rule: fmt.Sprint("rule ", n, strings.Repeat("é", 1000))})
			}
		})
		all := line.since(0, []string{"db"})
		if len(all) != remembered || all[0].Number != 3600-remembered+1 {
			t.Errorf("%d seconds from %d", len(all), all[0].Number)
		}
		if s := all[0].Proxies["db"].Strikes; len(s.Rules) != mostRules || len(s.Events) != mostEvents {
			t.Errorf("a second has %d rules and %d events", len(s.Rules), len(s.Events))
		} else if e := s.Events[0]; len(e) > mostText+len("…") || !strings.HasSuffix(e, "é…") {
			t.Errorf("an event of %d bytes: %s", len(e), e)
		}
	})
}

func TestTimelineServes(t *testing.T) {
	line := newTimeline(func() []control.Total { return []control.Total{{Proxy: "a&b", Up: 5}} })
	line.end()
	for query, seconds := range map[string]int{"?proxy=a%26b": 1, "": 1, "?after=1": 0, "?after=x": 1} {
		w := httptest.NewRecorder()
		line.ServeHTTP(w, httptest.NewRequest("GET", "/timeline"+query, nil))
		var got struct {
			Began   int64
			Seconds []second
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Began == 0 || len(got.Seconds) != seconds {
			t.Errorf("%s: %s, %v", query, w.Body, err)
		}
		if query == "?proxy=a%26b" && got.Seconds[0].Proxies["a&b"].Up != 5 {
			t.Errorf("%s: %s", query, w.Body)
		}
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
