package faultconn

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
)

// Plan is a seed and the rules in the order they are asked. The zero Plan does
// nothing. Two runs with equal plans and the same traffic see the same faults
// at the same byte offsets.
type Plan struct {
	Seed  uint64 // 0 is a seed like any other, not a random one
	Rules []Rule
}

// Validate says what is wrong with the plan, naming the rule and the field.
// [Injector.SetPlan] and [Catalogue.Parse] call it. A fault that works under
// certain rules only has a method ValidateRule(Rule) error, besides Validate.
func (p Plan) Validate() error {
	names := map[string]bool{}
	for i, r := range p.Rules {
		name := r.name(i)
		if names[name] {
			return fmt.Errorf("faultconn: rule %q: name: used twice", name)
		}
		names[name] = true
		if err := r.validate(); err != nil {
			return fmt.Errorf("faultconn: rule %q: %w", name, err)
		}
	}
	return nil
}

// clone copies what could change under its holder. Faults are values.
func (p Plan) clone() Plan {
	p.Rules = slices.Clone(p.Rules)
	for i := range p.Rules {
		r := &p.Rules[i]
		r.Mix = slices.Clone(r.Mix)
		r.Select.Ops = slices.Clone(r.Select.Ops)
		r.Select.Conns = slices.Clone(r.Select.Conns)
	}
	return p
}

func (r Rule) name(i int) string {
	if r.Name == "" {
		return fmt.Sprintf("rule %d", i+1)
	}
	return r.Name
}

func (r Rule) validate() error {
	switch {
	case r.Fault == nil && len(r.Mix) == 0:
		return fmt.Errorf("fault: missing: set fault or mix")
	case r.Fault != nil && len(r.Mix) > 0:
		return fmt.Errorf("mix: set together with fault: keep one of them")
	case math.IsNaN(r.Chance) || r.Chance < 0 || r.Chance > 1:
		return fmt.Errorf("chance %v: must be within [0, 1]", r.Chance)
	case r.Chance != 0 && len(r.Mix) > 0:
		return fmt.Errorf("chance %v: set together with mix, whose percentages say how often", r.Chance)
	case r.Limits.Hits < 0:
		return fmt.Errorf("limits.hits %d: must not be negative", r.Limits.Hits)
	case r.Limits.Conns < 0:
		return fmt.Errorf("limits.conns %d: must not be negative", r.Limits.Conns)
	}
	switch r.Scope {
	case "", PerExchange, PerConnection, PerOperation, PerByte:
	default:
		return fmt.Errorf("scope %q: must be one of %s, %s, %s, %s", r.Scope, PerExchange, PerConnection, PerOperation, PerByte)
	}
	total := 0.0
	for i, s := range r.Mix {
		if s.Fault == nil {
			return fmt.Errorf("mix[%d].fault: missing", i)
		}
		if math.IsNaN(s.Percent) || s.Percent < 0 || s.Percent > 100 {
			return fmt.Errorf("mix[%d].percent %v: must be within [0, 100]", i, s.Percent)
		}
		total += s.Percent
	}
	if total > 100+1e-9 {
		return fmt.Errorf("mix: percentages add up to %v: must not exceed 100", total)
	}
	for _, s := range r.shares() {
		if v, ok := s.Fault.(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return fmt.Errorf("fault %s: %w", s.Fault.Kind(), err)
			}
		}
		if v, ok := s.Fault.(interface{ ValidateRule(Rule) error }); ok {
			if err := v.ValidateRule(r); err != nil {
				return fmt.Errorf("fault %s: %w", s.Fault.Kind(), err)
			}
		}
	}
	if err := r.Select.validate(); err != nil {
		return err
	}
	return r.When.validate()
}

func (s Select) validate() error {
	kinds := []OpKind{OpDial, OpAccept, OpRead, OpPeerClose, OpWrite, OpCloseWrite, OpClose, OpClock}
	for _, k := range s.Ops {
		if !slices.Contains(kinds, k) {
			return fmt.Errorf("select.ops: %q: must be one of %v", k, kinds)
		}
	}
	for _, n := range s.Conns {
		if n < 1 {
			return fmt.Errorf("select.conns: %d: connections are numbered from 1", n)
		}
	}
	if strings.Contains(s.Peer, "/") {
		if _, err := netip.ParsePrefix(s.Peer); err != nil {
			return fmt.Errorf("select.peer %q: not an address, a name with a port, or a prefix such as 10.0.0.0/8", s.Peer)
		}
	}
	return nil
}

func (w When) validate() error {
	for _, f := range []struct {
		name string
		v    int64
	}{
		{"skip", int64(w.Skip)}, {"first", int64(w.First)}, {"every", int64(w.Every)}, {"cycle", int64(w.Cycle)},
		{"from", w.From}, {"until", w.Until},
		{"after", int64(w.After)}, {"before", int64(w.Before)}, {"age", int64(w.Age)}, {"period", int64(w.Period)},
	} {
		if f.v < 0 {
			return fmt.Errorf("when.%s: must not be negative", f.name)
		}
	}
	if w.Until > 0 && w.Until <= w.From {
		return fmt.Errorf("when.until %d: must be greater than from, which is %d", w.Until, w.From)
	}
	if w.Before > 0 && w.Before <= w.After {
		return fmt.Errorf("when.before %v: must be later than after, which is %v", w.Before, w.After)
	}
	if w.Period > 0 && (w.After >= w.Period || w.Before > w.Period) {
		return fmt.Errorf("when.period %v: must not be shorter than after and before", w.Period)
	}
	if w.Cycle > 0 && w.Skip >= w.Cycle {
		return fmt.Errorf("when.cycle %d: must be greater than skip, which is %d", w.Cycle, w.Skip)
	}
	return nil
}
