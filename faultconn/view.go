package faultconn

import (
	"slices"
	"sync"
	"time"
)

// identity is what a connection is to plans and events.
type identity struct {
	point  string
	hash   uint64 // of point
	number int
	peer   string
	server bool
}

// view is what one plan and one connection know of each other.
type view struct {
	*compiled
	id     *identity
	start  time.Time // from which the rules count time
	opened time.Time // when the plan found the connection

	mu       sync.Mutex
	rules    []*stake // those that may strike this connection
	offset   [2]int64 // by direction
	calls    [2]uint64
	exchange int
	answered bool // the exchange has seen some of its reply
	timers   []*time.Timer
	stopped  bool
	ready    []*stake // scratch of decide
	packet   int      // size of the packet at hand; 0 for streams
}

// stake is what one rule knows of one connection.
type stake struct {
	*rule
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
	choice   int // index of the share; -1 for none
	hit      int // Op.Hit of the unit
}

const (
	in  = 0
	out = 1
)

func direction(k OpKind) int {
	if k.outbound() {
		return out
	}
	return in
}

func newView(p *compiled, id *identity) *view {
	v := &view{compiled: p, id: id, start: p.start, opened: time.Now()}
	if v.opened.Before(v.start) {
		// The plan was set outside of a bubble of testing/synctest, whose clock
		// is years behind.
		v.start = v.opened
	}
	for _, r := range p.rules {
		if r.wants(id) {
			s := &stake{rule: r}
			if p.log != nil {
				s.log = slices.Clone(p.log[logKey{r, id.point, id.number}])
			}
			v.rules = append(v.rules, s)
		}
	}
	return v
}

// begin notes that the operation is under way, as far as exchanges go: a
// request after a reply begins a new one.
func (v *view) begin(k OpKind) {
	if !k.data() {
		return
	}
	request := (k == OpWrite) != v.id.server
	switch {
	case v.exchange == 0, request && v.answered:
		v.exchange++
		v.answered = !request
	case !request:
		v.answered = true
	}
}

// advance notes that bytes have passed.
func (v *view) advance(k OpKind, data []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.offset[direction(k)] += int64(len(data))
	for _, s := range v.rules {
		s.search.pass(s.text, direction(k), data, v.exchange)
	}
}

// call begins a new operation for the scope of operations.
func (v *view) call(k OpKind) {
	v.mu.Lock()
	v.calls[direction(k)]++
	v.mu.Unlock()
}

// unit returns the unit the operation belongs to, not yet drawn if it is new.
func (s *stake) unit(v *view, k OpKind) *unit {
	u, id := &s.units[0], int64(0)
	switch s.Scope {
	case PerExchange:
		switch k {
		case OpDial, OpAccept:
		case OpClock:
			u = &s.units[2]
		default:
			id = int64(v.exchange)
		}
	case PerConnection:
		// The draw is for good, but each exchange is struck anew.
		if u.exchange != v.exchange {
			u.exchange, u.fired = v.exchange, false
		}
	case PerOperation:
		u, id = &s.units[direction(k)], int64(v.calls[direction(k)])
	case PerByte:
		u, id = &s.units[direction(k)], v.offset[direction(k)]
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
	t := now.Sub(v.start)
	if s.When.Period > 0 {
		t %= s.When.Period
	}
	return t >= s.When.After && (s.When.Before == 0 || t < s.When.Before) &&
		(s.When.Age == 0 || now.Sub(v.opened) >= s.When.Age)
}

// clocks arms a timer for each rule that strikes without traffic. strike is
// called from the timer's goroutine.
func (v *view) clocks(strike func(*view, *stake)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.rules {
		if ask, _ := s.asks(OpClock); !ask || !s.clocked() {
			continue
		}
		at := s.When.moment(v.start, v.opened.Add(s.When.Age))
		var t *time.Timer
		t = time.AfterFunc(time.Until(at), func() {
			strike(v, s)
			v.mu.Lock()
			defer v.mu.Unlock()
			if s.When.Period > 0 && !v.stopped {
				at = s.When.begin(v.start, at).Add(s.When.Period)
				t.Reset(time.Until(at))
			}
		})
		v.timers = append(v.timers, t)
	}
}

// begin is when the window began that holds t or is the last before it.
func (w When) begin(start, t time.Time) time.Time {
	first := start.Add(w.After)
	if w.Period == 0 || t.Before(first) {
		return first
	}
	return first.Add(t.Sub(first) / w.Period * w.Period)
}

// moment is the first time from ready on that is in a window. Without Period
// that window may be over, which is found out then.
func (w When) moment(start, ready time.Time) time.Time {
	begin := w.begin(start, ready)
	switch {
	case ready.Before(begin):
		return begin
	case w.Period > 0 && w.Before > 0 && ready.Sub(begin) >= w.Before-w.After:
		return begin.Add(w.Period)
	}
	return ready
}

// stop is the end of the connection or of the plan. A timer that is running finds
// one of them gone.
func (v *view) stop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range v.timers {
		t.Stop()
	}
	v.timers = nil
	for _, s := range v.rules {
		if s.connHits > 0 && !v.stopped {
			s.leave()
		}
	}
	v.stopped = true
}
