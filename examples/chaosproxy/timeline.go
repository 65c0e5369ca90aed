package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

const (
	remembered = 300 // seconds
	// What a second keeps of one proxy, so that a storm of faults costs no more
	// memory than a shower.
	mostRules  = 20
	mostEvents = 5
	mostText   = 300 // bytes of an event: rules may have names of any length
)

// A timeline remembers what the proxies did, second by second. A page that is
// opened late, reloaded or asleep in the background shows it all the same, and
// no page has to keep up with every single fault.
type timeline struct {
	totals func() []control.Total
	began  time.Time // tells one run of the program from the next

	mu      sync.Mutex
	faults  map[string]*strikes // of the second that has not ended
	failed  map[string]*failures
	before  map[string]control.Total
	seconds []second // oldest first
	last    int      // number of the last one
}

// second is what happened in about one second.
type second struct {
	Number  int               `json:"number"` // from 1
	End     int64             `json:"end"`    // in milliseconds of Unix time
	Proxies map[string]moment `json:"proxies"`
}

// moment is a second of one proxy.
type moment struct {
	Up          int64     `json:"up"` // bytes
	Down        int64     `json:"down"`
	Connections int       `json:"connections"` // at its end
	Revision    int64     `json:"revision"`
	Faults      int64     `json:"faults"`
	Strikes     *strikes  `json:"strikes,omitempty"`
	Failed      *failures `json:"failed,omitempty"`
}

// strikes are faults of one second.
type strikes struct {
	Rules  map[string]int `json:"rules"`  // hits of the first rules that struck
	Events []string       `json:"events"` // the first
}

// failures are clients of one second that had no connection to the upstream,
// though no fault was asked for.
type failures struct {
	Clients int    `json:"clients"`
	Says    string `json:"says"` // why, of the last
}

func newTimeline(totals func() []control.Total) *timeline {
	return &timeline{totals: totals, began: time.Now(), faults: map[string]*strikes{}, failed: map[string]*failures{}, before: map[string]control.Total{}}
}

// run ends a second each second, until ctx ends.
func (t *timeline) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.end()
		}
	}
}

// fault notes one that strikes.
func (t *timeline) fault(e faultconn.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.faults[e.Point]
	if s == nil {
		s = &strikes{Rules: map[string]int{}}
		t.faults[e.Point] = s
	}
	if _, ok := s.Rules[e.Rule]; ok || len(s.Rules) < mostRules {
		s.Rules[e.Rule]++
	}
	if len(s.Events) < mostEvents {
		says := short(strings.TrimSuffix(e.String(), fmt.Sprintf(" (seed %d)", e.Seed)))
		if e.Client != "" {
			says += ", of " + e.Client
		}
		s.Events = append(s.Events, says)
	}
}

// conn notes what is wrong with the surroundings of a proxy.
func (t *timeline) conn(e proxy.Event) {
	if !unasked(e) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.failed[e.Proxy]
	if f == nil {
		f = &failures{}
		t.failed[e.Proxy] = f
	}
	f.Clients++
	f.Says = short(e.Err.Error())
}

// unasked reports whether an event is a failure that neither a fault nor a
// command has brought about: an upstream that is down, or has another address.
func unasked(e proxy.Event) bool {
	switch e.Kind {
	case proxy.AcceptFailed:
		return true
	case proxy.DialFailed:
		return e.Conn.Faults == 0 && !errors.Is(e.Err, context.Canceled)
	}
	return false
}

func short(text string) string {
	if len(text) > mostText {
		return strings.ToValidUTF8(text[:mostText], "") + "…"
	}
	return text
}

func (t *timeline) end() {
	totals := t.totals() // not under the lock, for which faults wait
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	s := second{t.last, time.Now().UnixMilli(), map[string]moment{}}
	now := map[string]control.Total{}
	for _, a := range totals {
		b := t.before[a.Proxy]
		if a.Revision < b.Revision || a.Up < b.Up || a.Down < b.Down || a.Faults < b.Faults {
			b = control.Total{} // another proxy of this name
		}
		s.Proxies[a.Proxy] = moment{a.Up - b.Up, a.Down - b.Down, a.Connections, a.Revision, a.Faults - b.Faults, t.faults[a.Proxy], t.failed[a.Proxy]}
		now[a.Proxy] = a
	}
	t.before, t.faults, t.failed = now, map[string]*strikes{}, map[string]*failures{}
	if len(t.seconds) == remembered {
		t.seconds = slices.Delete(t.seconds, 0, 1)
	}
	t.seconds = append(t.seconds, s)
}

// since are the seconds after the one of a number, of some proxies.
func (t *timeline) since(number int, proxies []string) []second {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []second{}
	for _, s := range t.seconds {
		if s.Number <= number {
			continue
		}
		some := map[string]moment{}
		for _, name := range proxies {
			if m, ok := s.Proxies[name]; ok {
				some[name] = m
			}
		}
		out = append(out, second{s.Number, s.End, some})
	}
	return out
}

// ServeHTTP replies with the seconds after ?after of each ?proxy. A program
// that began at another time counts them anew.
func (t *timeline) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	after, _ := strconv.Atoi(q.Get("after")) // 0, all there are, if it is no number
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(struct { // the client may be gone, which is its own affair
		Began   int64    `json:"began"`
		Seconds []second `json:"seconds"`
	}{t.began.UnixMilli(), t.since(after, q["proxy"])})
}
