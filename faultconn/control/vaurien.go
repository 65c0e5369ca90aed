package control

import (
	"net/http"
	"strings"
)

// Vaurien speaks the HTTP API of vaurien 2.0, as its client calls it, for one
// proxy. "" is the first by name. VAURIEN.md lists where it differs.
func (s *Server) Vaurien(proxy string) http.Handler {
	m := http.NewServeMux()
	s.vaurien(m, proxy)
	return s.Guard(m)
}

func (s *Server) vaurien(m *http.ServeMux, proxy string) {
	handle := func(pattern string, f func(e *entry, r *http.Request) (any, error)) {
		find := func(r *http.Request) (any, error) {
			e, err := s.vaurienProxy(proxy)
			if err != nil {
				return nil, err
			}
			return f(e, r)
		}
		if strings.HasPrefix(pattern, "PUT ") {
			find = s.inTurn(find)
		}
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := find(r)
			if err != nil {
				complain(w, err)
				return
			}
			reply(w, 200, v, nil)
		})
	}
	ok := map[string]string{"status": "ok"}
	handle("GET /behaviors", func(*entry, *http.Request) (any, error) {
		return map[string]any{"behaviors": behaviorNames()}, nil
	})
	handle("GET /behavior", func(e *entry, _ *http.Request) (any, error) {
		return map[string]any{"behavior": e.current().behavior.name()}, nil
	})
	handle("PUT /behavior", func(e *entry, r *http.Request) (any, error) {
		var in map[string]any
		data, err := body(r)
		if err == nil {
			err = lenient(data, &in)
		}
		if err != nil {
			return nil, err
		}
		name, _ := in["name"].(string)
		delete(in, "name")
		st := e.current()
		next, err := st.behavior.choose(name, in)
		if err != nil {
			return nil, err
		}
		return ok, s.alter(e, func(st *state) { st.behavior = next })
	})
	handle("GET /backend", func(e *entry, _ *http.Request) (any, error) {
		return map[string]string{"backend": e.describe().Upstream}, nil
	})
	handle("PUT /backend", func(e *entry, r *http.Request) (any, error) {
		var in struct {
			Backend string `json:"backend"`
		}
		data, err := body(r)
		if err == nil {
			err = lenient(data, &in)
		}
		if err != nil {
			return nil, err
		}
		p := e.describe()
		err = checkAddresses(p.Listen, in.Backend)
		if err == nil {
			err = s.checkLoop(p.Listen, in.Backend)
		}
		if err != nil {
			return nil, badField{"backend", err}
		}
		// Open connections keep the backend they have, as vaurien's do: each
		// has taken its socket when it was accepted.
		e.mu.Lock()
		e.upstream = in.Backend
		e.mu.Unlock()
		return ok, nil
	})
}

func (s *Server) vaurienProxy(name string) (*entry, error) {
	if name != "" {
		return s.lookup(name)
	}
	if all := s.entries(); len(all) > 0 {
		return all[0], nil
	}
	return nil, errNotFound
}

// badField is an error about a field of the body.
type badField struct {
	field string
	error
}

func (b badField) Unwrap() error { return b.error }

// complain says no as Cornice does, with which vaurien was written.
func complain(w http.ResponseWriter, err error) {
	field := "body"
	if b, ok := err.(badField); ok {
		field = b.field
	}
	reply(w, status(err), map[string]any{
		"status": "error",
		"errors": []map[string]string{{"location": "body", "name": field, "description": err.Error()}},
	}, nil)
}
