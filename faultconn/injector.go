package faultconn

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
)

// Injector holds the plan in force and wraps what it is to strike. The zero
// Injector is ready to use and passes everything through. It must not be
// copied after first use. All its methods may be called from any goroutine.
type Injector struct {
	// OnEvent is told of each fault that strikes, from the goroutine of the
	// operation, before the operation goes on. It is called by several
	// goroutines at once, of different connections and of the two directions of
	// one, so it has to lock what it writes to. It must not block, and must not
	// change the plan. nil: nobody is told. Set it before first use.
	OnEvent func(Event)

	plan atomic.Pointer[compiled] // nil: everything passes

	mu     sync.Mutex
	points map[string]*point
	conns  map[*conn]struct{} // open ones
	lost   []lost
}

// lost is a connection that was closed without its peer knowing.
type lost struct {
	close func() error
	by    *rule
}

// point counts the connections wrapped under one name.
type point struct {
	name string
	hash uint64
	last atomic.Int64
}

// SetPlan puts the plan in force, on open connections too, in place of the one
// before. It never waits for traffic. What the old plan was holding goes on.
// Counters and offsets start anew, even if the plans are equal: see
// [Injector.Update] for the other way. On an error, which names the rule and the
// field, nothing changes. The zero Plan takes all faults off.
func (i *Injector) SetPlan(p Plan) error {
	_, err := i.set(p, false)
	return err
}

// Update is SetPlan that does not disturb what stays as it is: to add a fault
// to those in force, take one away, or change one while the others strike.
//
// A rule goes on if the plan before has one of the same name and with the same
// definition, and both plans have the same Seed. It keeps its draws, its hits
// and limits, its clock, and on each connection its offsets and exchanges; what
// it holds stays held. Every other rule begins now, on open connections too,
// and counts from here. What rules that are gone were holding is let go.
//
// A rule without a name is known by its position: give names to rules that are
// to go on when others come and go before them. Of a fault that is a pointer
// only the exported fields count as its definition, and the value in force goes
// on, not the one of the new plan. After [Injector.Replay] all rules begin.
func (i *Injector) Update(p Plan) error {
	_, err := i.set(p, true)
	return err
}

// set puts a plan in force, in which rules may go on, and returns the one before.
func (i *Injector) set(p Plan, goOn bool) (before *compiled, err error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if len(p.Rules) == 0 {
		return i.use(nil, false), nil
	}
	return i.use(compile(p), goOn), nil
}

// With is SetPlan for a while: undo puts the plan before in force again, with
// the counts of its rules and its clock as if they had gone on. On open
// connections offsets and exchanges begin anew. Calls may be nested; undo them in
// the reverse order.
func (i *Injector) With(p Plan) (undo func(), err error) {
	before, err := i.set(p, false)
	if err != nil {
		return nil, err
	}
	return func() {
		if before != nil {
			i.use(before.again(), false)
			return
		}
		i.use(nil, false)
	}, nil
}

// use puts a plan in force and returns the one before.
func (i *Injector) use(next *compiled, goOn bool) (before *compiled) {
	before, found := i.swap(next, goOn)
	for _, l := range found {
		_ = l.close()
	}
	return before
}

// swap returns the connections too that no rule keeps open any longer.
func (i *Injector) swap(next *compiled, goOn bool) (before *compiled, found []lost) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before = i.plan.Load()
	if before != nil {
		if goOn && next != nil && before.log == nil {
			next.inherit(before)
		}
		before.retire(next)
	}
	i.plan.Store(next)
	for c := range i.conns {
		c.adopt()
	}
	if before != nil {
		before.handover.announce()
	}
	i.lost = slices.DeleteFunc(i.lost, func(l lost) bool {
		if !l.by.over.Load() {
			return false
		}
		found = append(found, l)
		return true
	})
	return before, found
}

// Plan returns the plan in force.
func (i *Injector) Plan() Plan {
	if p := i.plan.Load(); p != nil {
		return p.plan.clone()
	}
	return Plan{}
}

// Hits returns how many units of its scope the named rule of the plan in force
// has struck.
func (i *Injector) Hits(rule string) int {
	if p := i.plan.Load(); p != nil {
		for _, r := range p.rules {
			if r.name == rule {
				return r.hits()
			}
		}
	}
	return 0
}

// Unfired returns the names of the rules of the plan in force that have not
// struck. A test that ends with any of them has not tested what it says.
func (i *Injector) Unfired() []string {
	var names []string
	if p := i.plan.Load(); p != nil {
		for _, r := range p.rules {
			if r.hits() == 0 {
				names = append(names, r.name)
			}
		}
	}
	return names
}

// Conn wraps a connection that this side has opened: its requests go out. The
// point is the name plans know it by.
func (i *Injector) Conn(point string, c net.Conn) net.Conn {
	p := i.point(point)
	return i.wrap(c, p.identity(peerName(c), false), nil)
}

func (i *Injector) point(name string) *point {
	i.mu.Lock()
	defer i.mu.Unlock()
	p := i.points[name]
	if p == nil {
		if i.points == nil {
			i.points = map[string]*point{}
		}
		p = &point{name: name, hash: hash(name)}
		i.points[name] = p
	}
	return p
}

// identity gives the next connection its number.
func (p *point) identity(peer string, server bool) *identity {
	return &identity{point: p.name, hash: p.hash, number: int(p.last.Add(1)), peer: peer, server: server}
}

// wrap takes the view along under which the connection was dialled or accepted,
// so that one draw holds for its life.
func (i *Injector) wrap(inner net.Conn, id *identity, v *view) net.Conn {
	c := &conn{
		inner: inner, inj: i, id: id,
		end: make(chan struct{}),
	}
	i.mu.Lock()
	if i.conns == nil {
		i.conns = map[*conn]struct{}{}
	}
	i.conns[c] = struct{}{}
	if v != nil {
		c.current.Store(v)
	}
	c.adopt()
	i.mu.Unlock()
	return c.as(inner)
}

func (i *Injector) forget(c *conn) {
	i.mu.Lock()
	delete(i.conns, c)
	i.mu.Unlock()
}

// lose keeps a connection open that its user has closed. It reports false when
// the rule is gone meanwhile, and nobody would close it.
func (i *Injector) lose(close func() error, by *rule) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if by.over.Load() {
		return false
	}
	i.lost = append(i.lost, lost{close, by})
	return true
}

func (i *Injector) emit(events []Event) {
	if i.OnEvent == nil {
		return
	}
	for _, e := range events {
		i.OnEvent(e)
	}
}
