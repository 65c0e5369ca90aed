package faultconn

import (
	"slices"
	"sync"
	"time"

	"github.com/brownout-go/brownout/internal/behalf"
)

// identity is what a connection is to plans and events.
type identity struct {
	point  string
	hash   uint64 // of point
	number int
	peer   string
	server bool
	client *behalf.Client // for whom a proxy has dialled it; nil for none

	mu sync.Mutex // guards the stakes of all rules that come and go
}

// view is what one plan and one connection know of each other.
type view struct {
	*compiled
	id      *identity
	rules   []*stake  // those that may strike this connection
	courses []*course // of the rules
	ready   []*stake  // scratch of decide
	packet  int       // size of the packet at hand; 0 for streams
}

// course is what has passed on a connection since the rules that share it found
// it there.
type course struct {
	opened   time.Time
	offset   [2]int64 // by direction
	calls    [2]uint64
	exchange int
	answered bool // the exchange has seen some of its reply
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

// newView takes over the stakes that rules have in the connection which are in
// the plan before, too; nil if there was none. The others end.
func newView(p *compiled, id *identity, before *view) *view {
	id.mu.Lock()
	defer id.mu.Unlock()
	v := &view{compiled: p, id: id}
	left := before.stakes()
	var fresh *course
	for _, r := range p.rules {
		if !r.wants(id) {
			continue
		}
		s := left[r]
		delete(left, r)
		if s == nil {
			if fresh == nil {
				fresh = &course{opened: time.Now()}
			}
			s = &stake{rule: r, course: fresh, since: r.start}
			if fresh.opened.Before(s.since) {
				// The plan was set outside of a bubble of testing/synctest, whose
				// clock is years behind.
				s.since = fresh.opened
			}
			if p.log != nil {
				s.log = slices.Clone(p.log[logKey{r.name, id.point, id.number}])
			}
		}
		v.rules = append(v.rules, s)
		if !slices.Contains(v.courses, s.course) {
			v.courses = append(v.courses, s.course)
		}
	}
	for _, s := range left {
		s.end()
	}
	return v
}

// stakes are those of the view by their rules; nil if there is no view.
func (v *view) stakes() map[*rule]*stake {
	if v == nil {
		return nil
	}
	all := make(map[*rule]*stake, len(v.rules))
	for _, s := range v.rules {
		all[s.rule] = s
	}
	return all
}

// begin notes that the operation is under way, as far as exchanges go: a
// request after a reply begins a new one.
func (c *course) begin(k OpKind, server bool) {
	if !k.data() {
		return
	}
	request := (k == OpWrite) != server
	switch {
	case c.exchange == 0, request && c.answered:
		c.exchange++
		c.answered = !request
	case !request:
		c.answered = true
	}
}

// advance notes that bytes have passed. They may have been decided upon before
// another plan came: they count for the rules that were asked.
func (v *view) advance(k OpKind, data []byte) {
	v.id.mu.Lock()
	defer v.id.mu.Unlock()
	for _, c := range v.courses {
		c.offset[direction(k)] += int64(len(data))
	}
	for _, s := range v.rules {
		s.search.pass(s.text, direction(k), data, s.exchange)
	}
}

// call begins a new operation for the scope of operations.
func (v *view) call(k OpKind) {
	v.id.mu.Lock()
	defer v.id.mu.Unlock()
	for _, c := range v.courses {
		c.calls[direction(k)]++
	}
}

// stop is the end of the connection, or of all rules that can strike it.
func (v *view) stop() {
	if v == nil {
		return
	}
	v.id.mu.Lock()
	defer v.id.mu.Unlock()
	for _, s := range v.rules {
		s.end()
	}
}
