package faultconn

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// compiled is a plan in force. It is immutable but for the counters of its
// rules, and is replaced as a whole. Rules may go on in the next one.
type compiled struct {
	plan     Plan
	rules    []*rule
	handover *handover          // to the plan that takes over
	log      map[logKey][]Event // of a replay; else nil
}

// rule is a Rule for as long as it is in force.
type rule struct {
	Rule
	name   string
	seed   uint64    // of the plan
	id     uint64    // of the name; part of the seed of its draws
	start  time.Time // from which it counts time
	shares []Share
	watch  []watcher // those of shares
	total  float64   // of the percentages
	peer   netip.Prefix
	text   pattern
	over   *atomic.Bool // it is no longer in force
	*tally
}

// watcher is a fault that is told of every operation.
type watcher interface{ Watch(op Op) }

// tally is what a rule counts over all connections.
type tally struct {
	mu     sync.Mutex
	seen   int // units of its scope that could have been struck
	struck int
	conns  int      // open connections that have been struck
	rate   schedule // of faults with a shared rate
}

func compile(p Plan) *compiled {
	p = p.clone()
	c := &compiled{plan: p, handover: new(handover)}
	now := time.Now()
	for i, r := range p.Rules {
		if r.Off {
			continue
		}
		if r.Scope == "" {
			r.Scope = PerExchange
		}
		cr := &rule{Rule: r, name: r.name(i), seed: p.Seed, start: now, shares: r.shares(), over: new(atomic.Bool), tally: new(tally)}
		cr.id = hash(cr.name)
		cr.text = newPattern(r.When.Pattern)
		for _, s := range cr.shares {
			if w, ok := s.Fault.(watcher); ok {
				cr.watch = append(cr.watch, w)
			}
			cr.total += s.Percent
		}
		if strings.Contains(r.Select.Peer, "/") {
			cr.peer, _ = netip.ParsePrefix(r.Select.Peer) // validated
		}
		c.rules = append(c.rules, cr)
	}
	return c
}

// inherit lets the rules of the plan before go on that are in this one too.
func (c *compiled) inherit(before *compiled) {
	old := make(map[string]*rule, len(before.rules))
	for _, r := range before.rules {
		old[r.name] = r
	}
	on := 0
	for i := range c.plan.Rules {
		planned := &c.plan.Rules[i]
		if planned.Off {
			continue
		}
		r := c.rules[on]
		if was := old[r.name]; was != nil && was.same(r) {
			// Faults that keep what they have seen have to stay the same values.
			c.rules[on], planned.Fault, planned.Mix = was, was.Fault, was.Mix
		}
		on++
	}
}

// retire ends the rules that do not go on in the next plan, which may be nil.
func (c *compiled) retire(next *compiled) {
	stay := map[*rule]bool{}
	if next != nil {
		for _, r := range next.rules {
			stay[r] = true
		}
	}
	for _, r := range c.rules {
		if !stay[r] {
			r.over.Store(true)
		}
	}
}

// again is the plan, put in force once more: its rules count on.
func (c *compiled) again() *compiled {
	next := &compiled{plan: c.plan, handover: new(handover), log: c.log}
	for _, r := range c.rules {
		r := *r
		r.over = new(atomic.Bool)
		next.rules = append(next.rules, &r)
	}
	return next
}

// count numbers the units of the rule's scope, from 0.
func (t *tally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen++
	return t.seen - 1
}

func hash(s string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, without package hash's allocation
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// wants reports whether the rule has anything to do with the connection.
func (r *rule) wants(id *identity) bool {
	s := &r.Select
	return (s.Point == "" || s.Point == id.point) &&
		(len(s.Conns) == 0 || slices.Contains(s.Conns, id.number)) &&
		(s.Peer == "" || r.wantsPeer(id.peer) || id.client != nil && r.wantsPeer(id.client.Addr))
}

func (r *rule) wantsPeer(addr string) bool {
	want := r.Select.Peer
	if addr == want {
		return true
	}
	host := addr
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		host = strings.Trim(addr[:i], "[]")
	}
	if host == want {
		return true
	}
	if !r.peer.IsValid() {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && r.peer.Contains(ip.Unmap())
}

// asks reports whether the rule is to be asked about operations of the kind,
// and whether it names the kind itself.
func (r *rule) asks(k OpKind) (ask, chosen bool) {
	if len(r.Select.Ops) == 0 {
		return true, false
	}
	chosen = slices.Contains(r.Select.Ops, k)
	return chosen, chosen
}

// clocked reports whether the rule strikes by the clock, without traffic.
func (r *rule) clocked() bool {
	return r.When.After > 0 || r.When.Age > 0 || slices.Contains(r.Select.Ops, OpClock)
}

// strikes applies When to the i-th unit, counted from 0.
func (w When) strikes(i int) bool {
	if w.Cycle > 0 {
		i %= w.Cycle
	}
	i -= w.Skip
	return i >= 0 && (w.First == 0 || i < w.First) && (w.Every < 2 || (i+1)%w.Every == 0)
}

// counts reports whether When depends on the number of the unit.
func (w When) counts() bool { return w.Skip > 0 || w.First > 0 || w.Every > 1 }

// claim takes one hit, on a connection that is new to the rule or not; false
// when a limit is reached.
func (r *rule) claim(first bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Limits.Hits > 0 && r.struck >= r.Limits.Hits || first && r.Limits.Conns > 0 && r.conns >= r.Limits.Conns {
		return false
	}
	r.struck++
	if first {
		r.conns++
	}
	return true
}

// leave takes a connection off that was struck.
func (t *tally) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns--
}

// hits is how many units the rule has struck.
func (t *tally) hits() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.struck
}
