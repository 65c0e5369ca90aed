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

// reach says whether the rule strikes at the current place, and for how many of
// the bytes that stays so.
func (s *stake) reach(v *view, k OpKind, data []byte) (bool, int) {
	n := len(data)
	if v.log != nil {
		return s.replayed(k, n)
	}
	if !s.search.found(s.text, s.exchange) {
		if k.data() {
			n = s.search.ahead(s.text, direction(k), data)
		}
		return false, n
	}
	if !k.data() {
		// What carries no bytes is at a place all the same: a FIN at byte 1000.
		off := s.offset[direction(k)]
		return s.Scope != PerByte && off >= s.When.From && (s.When.Until == 0 || off < s.When.Until), n
	}
	dir := direction(k)
	off := s.offset[dir]
	if off < s.When.From {
		return false, within(n, s.When.From-off)
	}
	if s.When.Until > 0 {
		if off >= s.When.Until {
			return false, n
		}
		n = within(n, s.When.Until-off)
	}
	if s.Scope != PerByte {
		return true, n
	}
	draws := &s.bytes[dir]
	if draws.rand == nil {
		draws.start(s.When.From, s.total/100, v.words(s, forBytes, k, 0, 0))
	}
	struck, following := draws.from(off)
	if struck > off {
		return false, within(n, struck-off)
	}
	return true, within(n, following-off)
}

func within(n int, limit int64) int { return int(min(int64(n), limit)) }

// ask draws for the unit if that has not been done and asks the fault chosen.
// The event is not nil when the rule fires for the first time in the unit.
func (v *view) ask(s *stake, k OpKind, data []byte, now time.Time) (Effect, *Event) {
	if s.stopped {
		return Effect{}, nil // meanwhile; it must not be counted as struck again
	}
	u := s.unit(k)
	dir := direction(k)
	if v.log != nil && !u.fired {
		s.recall(u, k)
	}
	if !u.drawn {
		u.drawn = true
		u.choice = choose(s.shares, v.draw(s, u, k))
	}
	if !u.fired && v.log == nil {
		u.hit = s.connHits
		if !s.When.PerConn {
			u.hit = s.hits()
		}
	}
	if s.When.counts() && !u.counted {
		if concerned, pass := v.concerned(s, u, k, data, now); !concerned {
			return Effect{Bytes: pass}, nil
		}
		u.counted = true
		if !s.When.strikes(s.number()) {
			u.choice = -1
		}
	}
	if u.choice < 0 {
		return Effect{}, nil
	}
	fault := s.shares[u.choice].Fault
	e := fault.Inject(v.op(s, u, k, data, now))
	if e.Hit || e.Latency > 0 {
		u.latency = e.Latency
	}
	if e.nothing() || u.fired {
		return e, nil
	}
	if !s.claim(s.connHits == 0) && v.log == nil {
		u.choice = -1
		return Effect{}, nil
	}
	u.fired = true
	s.connHits++
	client := ""
	if v.id.client != nil {
		v.id.client.Faults.Add(1)
		client = v.id.client.Addr
	}
	return e, &Event{
		Time: now, Seed: s.seed, Rule: s.name, Kind: fault.Kind(),
		Point: v.id.point, Conn: v.id.number, Peer: v.id.peer, Client: client,
		Op: k, Offset: s.offset[dir], Exchange: s.exchange, Hit: u.hit, Delay: e.Latency + e.Delay,
	}
}

// concerned reports whether a fault of the rule has anything to do in this
// operation: "the first three" of a refusal are three dials, not a dial and the
// two exchanges after it. If none has, one may after so many bytes; 0 is none.
func (v *view) concerned(s *stake, u *unit, k OpKind, data []byte, now time.Time) (concerned bool, pass int) {
	for _, share := range s.shares {
		e := share.Fault.Inject(v.op(s, u, k, data, now))
		if !e.nothing() {
			return true, 0
		}
		if e.Bytes > 0 && (pass == 0 || e.Bytes < pass) {
			pass = e.Bytes
		}
	}
	return false, pass
}

// number is that of the unit at hand, from 0.
func (s *stake) number() int {
	if !s.When.PerConn {
		return s.count()
	}
	s.connSeen++
	return s.connSeen - 1
}

func (v *view) op(s *stake, u *unit, k OpKind, data []byte, now time.Time) Op {
	dir := direction(k)
	_, chosen := s.asks(k)
	return Op{
		Kind: k, Point: v.id.point, Conn: v.id.number, Addr: v.id.peer, Server: v.id.server,
		Offset: s.offset[dir], Exchange: s.exchange, Hit: u.hit, First: !u.fired, Latency: u.latency, Chosen: chosen,
		Elapsed: now.Sub(s.since), Data: data, Packet: v.packet,
		Rand: s.source.at(v.words(s, forInject, k, 0, s.offset[dir])),
	}
}
