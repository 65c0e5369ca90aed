package faultconn

import "time"

// verdict is what the rules together make of an operation, or of the first n
// bytes of it.
type verdict struct {
	n      int
	effect Effect
	delays []delay // effect.Latency and effect.Delay by the rules they are of
	anew   bool    // a unit has begun whose data are late
	rate   *schedule
	rated  *rule // whose effect.Rate is
	by     *rule // who ends or changes the operation
	events []Event
}

// decide asks the rules about an operation at the current place of its
// direction. Only one goroutine at a time asks for each direction.
func (v *view) decide(k OpKind, data []byte) verdict {
	v.id.mu.Lock()
	defer v.id.mu.Unlock()
	for _, c := range v.courses {
		c.begin(k, v.id.server)
	}
	now := v.moment(k)
	for _, s := range v.rules {
		for _, w := range s.watch {
			w.Watch(v.op(s, &unit{}, k, data, now))
		}
	}

	// First find how far no rule begins or ends, then ask about that stretch:
	// a fault must not be shown bytes that are another decision's.
	n := len(data)
	ready := v.ready[:0]
	for _, s := range v.rules {
		if ask, _ := s.asks(k); !ask || !s.elapsed(v, now) {
			continue
		}
		hit, limit := s.reach(v, k, data[:n])
		n = limit
		if hit {
			ready = append(ready, s)
		}
	}
	v.ready = ready // for the next time
	d := verdict{n: n}
	for _, s := range ready {
		e, event := v.ask(s, k, data[:d.n], now)
		if event != nil {
			d.events = append(d.events, *event)
		}
		if e.Bytes > 0 && e.Bytes < d.n {
			d.n = e.Bytes
		}
		if d.add(s, e, k, event != nil) {
			return d // what another rule would do to it could not be told apart
		}
	}
	if d.effect.Rate > 0 && v.packet == 0 {
		d.n = min(d.n, quantum(d.effect.Rate))
	}
	return d
}

// add adds what one rule does to what the others do, for the first time in its
// unit or again, and reports whether no later rule can have a say.
func (d *verdict) add(s *stake, e Effect, k OpKind, anew bool) (last bool) {
	if e.nothing() {
		return false
	}
	if e.Delay > 0 {
		d.effect.Delay += e.Delay
		d.delays = append(d.delays, delay{by: s.rule, long: e.Delay})
	}
	if e.Latency > 0 {
		d.effect.Latency += e.Latency
		d.delays = append(d.delays, delay{by: s.rule, long: e.Latency, latency: direction(k) == in})
		d.anew = d.anew || anew
	}
	d.effect.Copies += e.Copies
	if e.Rate > 0 && (d.effect.Rate == 0 || e.Rate < d.effect.Rate) {
		d.effect.Rate, d.rate, d.rated = e.Rate, s.schedule(e, direction(k)), s.rule
	}
	if !e.Replace && !e.ends() {
		return false
	}
	was := d.effect
	d.effect, d.by = e, s.rule
	d.effect.Latency, d.effect.Delay = was.Latency, was.Delay
	d.effect.Rate, d.effect.Copies = was.Rate, was.Copies
	return true
}

// moment is now, or zero if no rule wants to know: it is what an operation that
// does not concern any would pay most for.
func (v *view) moment(k OpKind) time.Time {
	for _, s := range v.rules {
		if ask, _ := s.asks(k); ask || len(s.watch) > 0 {
			return time.Now()
		}
	}
	return time.Time{}
}

// decideClock asks one rule, whose moment has come.
func (v *view) decideClock(s *stake) verdict {
	v.id.mu.Lock()
	defer v.id.mu.Unlock()
	now := time.Now()
	if s.stopped || !s.elapsed(v, now) {
		return verdict{}
	}
	e, event := v.ask(s, OpClock, nil, now)
	d := verdict{effect: e}
	if event != nil {
		d.events = append(d.events, *event)
	}
	return d
}
