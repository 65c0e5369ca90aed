package control

import (
	"net/http"
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
	undo := func(made []*entry) {
		for _, e := range made {
			_ = s.remove(e.name)
		}
	}
	var made []*entry
	var later []populated
	for _, in := range all {
		if _, err := s.lookup(in.Name); err == nil {
			later = append(later, in)
			continue
		}
		e, err := s.add(in.proxy())
		if err != nil {
			undo(made)
			return nil, err
		}
		made = append(made, e)
	}
	for _, in := range later {
		if err := s.repopulate(in); err != nil {
			undo(made)
			return nil, err
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

// repopulate makes a proxy that exists as it is asked for.
func (s *Server) repopulate(in populated) error {
	e, err := s.lookup(in.Name)
	if err != nil {
		return err
	}
	p := in.proxy()
	st, err := p.check()
	if err != nil {
		return err
	}
	was := e.describe()
	replaced := !same(in.Listen, was.Listen) || in.Upstream != was.Upstream
	if replaced {
		if err := s.move(e, in.Listen, in.Upstream, !p.Disabled); err != nil {
			return err
		}
	}
	if replaced || in.Toxics != nil {
		return s.alter(e, func(next *state) { next.toxics = st.toxics })
	}
	return nil
}
