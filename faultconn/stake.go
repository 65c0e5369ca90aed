package faultconn

import "time"

// stake is what one rule knows of one connection.
type stake struct {
	*rule
	*course
	since    time.Time // from which the rule counts time
	clock    *time.Timer
	stopped  bool
	units    [3]unit // by direction for scopes that have one, then the clock's
	source   source
	bytes    [2]byteDraws
	rates    [2]schedule
	search   search
	connSeen int // for When.PerConn
	connHits int
	log      []Event // of a replay: what has not happened yet
}

// unit is one unit of a rule's scope: what has been drawn for it.
type unit struct {
	id       int64
	exchange int // in which it fired
	drawn    bool
	counted  bool
	fired    bool
	choice   int           // index of the share; -1 for none
	hit      int           // Op.Hit of the unit
	latency  time.Duration // Op.Latency of the unit
}

// unit returns the unit the operation belongs to, not yet drawn if it is new.
func (s *stake) unit(k OpKind) *unit {
	u, id := &s.units[0], int64(0)
	switch s.Scope {
	case PerExchange:
		switch k {
		case OpDial, OpAccept:
		case OpClock:
			u = &s.units[2]
		default:
			id = int64(s.exchange)
		}
	case PerConnection:
		// The draw is for good, but each exchange is struck anew.
		if u.exchange != s.exchange {
			u.exchange, u.fired, u.latency = s.exchange, false, 0
		}
	case PerOperation:
		u, id = &s.units[direction(k)], int64(s.calls[direction(k)])
	case PerByte:
		u, id = &s.units[direction(k)], s.offset[direction(k)]
	}
	if u.id != id {
		*u = unit{id: id}
	}
	return u
}

// elapsed reports whether the time conditions hold.
func (s *stake) elapsed(v *view, now time.Time) bool {
	if v.log != nil {
		return true // the log says
	}
	t := now.Sub(s.since)
	if s.When.Period > 0 {
		t %= s.When.Period
	}
	return t >= s.When.After && (s.When.Before == 0 || t < s.When.Before) &&
		(s.When.Age == 0 || now.Sub(s.opened) >= s.When.Age)
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
	e.Bytes, e.Copies = max(e.Bytes, 0), max(e.Copies, 0)
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

// end is the end of the rule here. A timer that is running finds its stake
// stopped. The lock of the connection's identity is held.
func (s *stake) end() {
	if s.stopped {
		return
	}
	s.stopped = true
	if s.clock != nil {
		s.clock.Stop()
	}
	if s.connHits > 0 {
		s.leave()
	}
}
