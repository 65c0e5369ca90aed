package control

import (
	"net/http"

	"github.com/brownout-go/brownout/faultconn"
)

// populate creates several proxies, or none: those that are there with the same
// addresses stay, others of the same name are replaced. Toxics that are given
// are put in the place of those that a proxy has.
func (s *Server) populate(w http.ResponseWriter, r *http.Request) {
	made, err := s.inTurn(s.populateAll)(r)
	out := struct {
		Error   string `json:"error,omitempty"`
		Status  int    `json:"status,omitempty"`
		Proxies any    `json:"proxies"`
	}{Proxies: made}
	code := http.StatusCreated
	if err != nil {
		code = status(err)
		out.Error, out.Status = err.Error(), code
	}
	reply(w, code, out, nil)
}

type populated struct {
	Name, Listen, Upstream string
	Enabled                *bool
	Toxics                 []Toxic
}

func (in populated) proxy() Proxy {
	return Proxy{
		Name: in.Name, Listen: in.Listen, Upstream: in.Upstream,
		Disabled: in.Enabled != nil && !*in.Enabled, Toxics: in.Toxics,
	}
}

func (s *Server) populateAll(r *http.Request) (any, error) {
	data, err := body(r)
	if err != nil {
		return nil, err
	}
	var all []populated
	if err := lenient(data, &all); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for i, in := range all {
		switch {
		case in.Name == "":
			return nil, badRequest("missing required field: name at proxy %d", i+1)
		case in.Upstream == "":
			return nil, badRequest("missing required field: upstream at proxy %d", i+1)
		case names[in.Name]:
			return nil, badRequest("name %q at proxy %d: given twice", in.Name, i+1)
		}
		names[in.Name] = true
		if _, err := in.proxy().check(); err != nil {
			return nil, err
		}
	}
	// What can still fail is listening. What has been made before is taken back
	// then, so that all of them come or none.
	var made []*entry
	var changes []repopulation
	undo := func() {
		for _, e := range made {
			_ = s.remove(e.name)
		}
		for _, c := range changes {
			s.cancel(c.move)
		}
	}
	for _, in := range all {
		e, err := s.lookup(in.Name)
		if err == nil {
			var c repopulation
			c, err = s.repopulate(e, in)
			changes = append(changes, c)
		} else if e, err = s.add(in.proxy()); err == nil {
			made = append(made, e)
		}
		if err != nil {
			undo()
			return nil, err
		}
	}
	for _, c := range changes {
		s.commit(c.move)
		if c.toxics {
			if err := s.alter(c.e, func(next *state) { next.toxics = c.state.toxics }); err != nil {
				return nil, err // cannot be: it has been checked
			}
		}
	}
	var out []toxicProxy // null for an empty list, as with Toxiproxy
	for _, in := range all {
		e, err := s.lookup(in.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, toxicProxyOf(e))
	}
	return out, nil
}

// repopulation is what makes a proxy that exists what it is asked to be.
type repopulation struct {
	e      *entry
	move   *moving
	state  state
	toxics bool // are to change
}

// repopulate prepares it. On an error nothing has changed.
func (s *Server) repopulate(e *entry, in populated) (repopulation, error) {
	p := in.proxy()
	st, err := p.check()
	if err != nil {
		return repopulation{}, err
	}
	c := repopulation{e: e, state: st, toxics: in.Toxics != nil}
	if was := e.describe(); !same(in.Listen, was.Listen) || in.Upstream != was.Upstream {
		c.toxics = true
		if c.move, err = s.prepare(e, in.Listen, in.Upstream, !p.Disabled); err != nil {
			return repopulation{}, err
		}
	}
	if c.toxics { // whose names the plan may have
		next := e.current()
		next.toxics = st.toxics
		if err := (faultconn.Plan{Rules: next.rules(s.Seed)}).Validate(); err != nil {
			s.cancel(c.move)
			return repopulation{}, badRequest("%w", err)
		}
	}
	return c, nil
}
