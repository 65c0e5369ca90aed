package control

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// An entry is a proxy of the server, running or not.
type entry struct {
	server *Server
	name   string
	inj    faultconn.Injector
	dials  atomic.Int64 // not less than the last number the injector has given
	faults atomic.Int64 // that have struck

	mu       sync.Mutex // never held across a wait
	listen   string     // as it was asked for, or with the port it got
	upstream string
	state    state
	revision int64
	run      *run // nil: disabled
	bytes    traffic
}

// state is what decides about faults. It is replaced as a whole.
type state struct {
	plan     faultconn.Plan
	toxics   []Toxic
	behavior behavior
	leaving  []leaving         // toxics whose connections end with them
	replay   []faultconn.Event // that the rules follow until the next change; nil: none
}

func (s *Server) entry(name, listen, upstream string) *entry {
	e := &entry{server: s, name: name, listen: listen, upstream: upstream}
	e.inj.OnEvent = func(ev faultconn.Event) {
		e.faults.Add(1)
		s.events.send("fault", ev)
		if s.OnFault != nil {
			s.OnFault(ev)
		}
	}
	return e
}

// use puts the faults of a state in force. Rules that there are go on.
func (e *entry) use(next state) error {
	plan := faultconn.Plan{Seed: next.plan.Seed, Rules: fresh(next.rules(e.server.Seed))}
	if err := plan.Validate(); err != nil {
		return err
	}
	// Validated just now: Update has no other reason to fail, Replay that the log
	// is another plan's. Holding mu keeps the revision that readers see in step with
	// the plan in force.
	e.mu.Lock()
	defer e.mu.Unlock()
	update := func(p faultconn.Plan) error { return e.inj.Update(p) }
	if next.replay != nil {
		update = func(p faultconn.Plan) error { return e.inj.Replay(p, next.replay) }
	} else if next.behavior.chosen != e.state.behavior.chosen {
		// It begins now, though it may be the one that is in force.
		without := next
		without.behavior = behavior{}
		if err := update(faultconn.Plan{Seed: plan.Seed, Rules: fresh(without.rules(e.server.Seed))}); err != nil {
			return err
		}
	}
	if err := update(plan); err != nil {
		return err
	}
	e.state = next
	e.revision++
	return nil
}

// rules are all that is in force: the plan's, and those that toxics and the
// behavior stand for.
func (st state) rules(seed uint64) []faultconn.Rule {
	var rules []faultconn.Rule
	for i, r := range st.plan.Rules {
		if r.Name == "" { // by position, as long as it is known
			r.Name = fmt.Sprintf("rule %d", i+1)
		}
		rules = append(rules, r)
	}
	for _, t := range st.toxics {
		rules = append(rules, t.rules(seed)...)
	}
	for _, l := range st.leaving {
		rules = append(rules, l.rule(seed))
	}
	return append(rules, st.behavior.rules()...)
}

// alter changes the state of a proxy as a whole or not at all.
func (s *Server) alter(e *entry, change func(*state)) error {
	next := e.current()
	change(&next)
	if err := e.use(next); err != nil {
		return badRequest("%w", err)
	}
	s.events.send("plan", map[string]any{"proxy": e.name, "revision": e.rev()})
	return nil
}

func (e *entry) current() state {
	e.mu.Lock()
	defer e.mu.Unlock()
	st := e.state
	st.toxics = append([]Toxic(nil), st.toxics...)
	st.leaving, st.replay = nil, nil
	for _, l := range e.state.leaving {
		if time.Since(l.since) < lingering {
			st.leaving = append(st.leaving, l)
		}
	}
	return st
}

func (e *entry) rev() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.revision
}

// told counts bytes and passes on what happens to connections.
func (e *entry) told(ev proxy.Event) {
	if ev.Kind == proxy.Closed || ev.Kind == proxy.Broken {
		e.mu.Lock()
		e.bytes.ended.up += ev.Conn.Up
		e.bytes.ended.down += ev.Conn.Down
		e.mu.Unlock()
	}
	e.server.events.send("connection", connEvent(ev))
	if e.server.OnConn != nil {
		e.server.OnConn(ev)
	}
}

// conns are the open connections.
func (e *entry) conns() []*proxy.Conn {
	if r := e.running(); r != nil {
		return r.proxy.Conns()
	}
	return nil
}

// conn is the open connection with this number; nil if there is none.
func (e *entry) conn(id uint64) *proxy.Conn {
	if r := e.running(); r != nil {
		return r.proxy.Conn(id)
	}
	return nil
}

// running is the proxy's life, nil if it is disabled.
func (e *entry) running() *run {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.run
}

func (e *entry) describe() Proxy {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Proxy{
		Name: e.name, Listen: e.listen, Upstream: e.upstream, Disabled: e.run == nil,
		Plan: e.state.plan, Toxics: append([]Toxic(nil), e.state.toxics...), Behavior: e.state.behavior.text, Protocol: e.state.behavior.protocol,
		BehaviorOptions: e.state.behavior.options, Replay: e.state.replay,
	}
}
