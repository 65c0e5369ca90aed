package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/brownout-go/brownout/faultconn"
)

// A scenario is a timeline of plans, as requests have it: see the package's
// documentation.
type scenario struct {
	Steps []struct {
		At    string                     `json:"at"`
		Plans map[string]json.RawMessage `json:"plans"`
	} `json:"steps"`
	Repeat string `json:"repeat,omitempty"`
}

// step is a step of a scenario, checked.
type step struct {
	at    time.Duration
	plans map[string]faultconn.Plan
}

// running is a scenario that has been started.
type running struct {
	text   scenario
	steps  []step
	repeat time.Duration
	began  time.Time
	done   int // steps that have been taken, over all rounds
	failed error
	over   bool
	cancel context.CancelFunc
}

func (s *Server) putScenario(r *http.Request) (any, error) {
	var sc scenario
	if err := object(r, &sc); err != nil {
		return nil, err
	}
	next, err := s.compile(sc)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	s.halt()
	ctx, cancel := context.WithCancel(context.Background())
	next.cancel = cancel
	next.began = time.Now()
	s.scenario = next
	s.closing.Add(1)
	go func() {
		defer s.closing.Done()
		s.run(ctx, next)
	}()
	return s.progress(), nil
}

func (s *Server) compile(sc scenario) (*running, error) {
	next := &running{text: sc}
	if len(sc.Steps) == 0 {
		return nil, badRequest("steps: missing")
	}
	var last time.Duration
	for i, in := range sc.Steps {
		at, err := time.ParseDuration(in.At)
		if err != nil || at < last {
			return nil, badRequest(`steps[%d].at %.40q: must be a duration such as "30s", not before the step before it`, i, in.At)
		}
		last = at
		st := step{at: at, plans: map[string]faultconn.Plan{}}
		for name, raw := range in.Plans {
			e, err := s.lookup(name)
			if err != nil {
				return nil, badRequest("steps[%d].plans: %w: %.100q", i, err, name)
			}
			p, err := s.catalogue().Parse(raw)
			if err == nil {
				// With its toxics, whose names could be taken.
				cur := e.current()
				cur.plan = p
				err = faultconn.Plan{Rules: cur.rules(s.Seed)}.Validate()
			}
			if err != nil {
				return nil, badRequest("steps[%d].plans.%s: %w", i, name, err)
			}
			st.plans[name] = p
		}
		next.steps = append(next.steps, st)
	}
	if sc.Repeat != "" {
		d, err := time.ParseDuration(sc.Repeat)
		if err != nil || d < last || d < time.Millisecond {
			return nil, badRequest(`repeat %.40q: must be a duration such as "90s", not before the last step`, sc.Repeat)
		}
		next.repeat = d
	}
	return next, nil
}

// run takes the steps at their times.
func (s *Server) run(ctx context.Context, sc *running) {
	for round := time.Duration(0); ; round += sc.repeat {
		for _, st := range sc.steps {
			t := time.NewTimer(time.Until(sc.began.Add(round + st.at)))
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
				return
			}
			if !s.take(ctx, sc, st) {
				return
			}
		}
		if sc.repeat == 0 {
			s.changes.Lock()
			sc.over = true
			s.changes.Unlock()
			return
		}
	}
}

// take takes one step. Proxies that have gone are passed over, and told of.
func (s *Server) take(ctx context.Context, sc *running, st step) bool {
	s.changes.Lock()
	defer s.changes.Unlock()
	if ctx.Err() != nil {
		return false
	}
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(st.plans)) {
		e, err := s.lookup(name)
		if err == nil {
			err = s.alter(e, func(next *state) { next.plan = st.plans[name] })
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("step %d: %s: %w", sc.done+1, name, err))
		}
	}
	if len(failed) > 0 {
		sc.failed = errors.Join(failed...)
	}
	sc.done++
	return true
}

// halt stops the scenario; the plans that it has set stay. s.changes is held.
func (s *Server) halt() {
	if s.scenario != nil {
		s.scenario.cancel()
		s.scenario.over = true
	}
}

// progress says how far the scenario is. s.changes is held.
func (s *Server) progress() any {
	sc := s.scenario
	if sc == nil {
		return map[string]any{"running": false}
	}
	out := map[string]any{"running": !sc.over, "started": sc.began, "taken": sc.done, "scenario": sc.text}
	if sc.failed != nil {
		out["error"] = sc.failed.Error()
	}
	return out
}
