package control

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/brownout-go/brownout/faultconn"
)

// Handler serves everything: the native API under /v1, and Toxiproxy's and
// vaurien's routes. Vaurien's are about the first proxy by name.
func (s *Server) Handler() http.Handler {
	m := http.NewServeMux()
	native := s.native()
	m.Handle("/v1", native) // and not a redirect to /v1/
	m.Handle("/v1/", native)
	s.toxiproxy(m)
	s.vaurien(m, "")
	return s.Guard(m)
}

// Native serves the API described above, and nothing else.
func (s *Server) Native() http.Handler { return s.Guard(s.native()) }

func (s *Server) native() http.Handler {
	m := http.NewServeMux()
	handle := func(pattern string, code int, f func(r *http.Request) (any, error)) {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := f(r)
			err = s.listenRefusal(err)
			if a, ok := v.(answer); ok && err == nil && a.Revision != nil {
				w.Header().Set("ETag", etag(*a.Revision))
			}
			reply(w, code, v, err)
		})
	}
	changing := func(pattern string, code int, f func(r *http.Request) (any, error)) {
		handle(pattern, code, s.inTurn(f))
	}
	handle("GET /v1/proxies", 200, func(*http.Request) (any, error) {
		all := []nativeProxy{}
		for _, e := range s.entries() {
			all = append(all, e.native())
		}
		return map[string]any{"proxies": all}, nil
	})
	handle("GET /v1/proxies/{proxy}", 200, s.onProxy(func(e *entry, _ *http.Request) (any, error) { return e.native(), nil }))
	handle("GET /v1/proxies/{proxy}/plan", 200, s.onProxy(func(e *entry, _ *http.Request) (any, error) { return e.answer(), nil }))
	handle("GET /v1/proxies/{proxy}/rules", 200, s.onProxy(func(e *entry, _ *http.Request) (any, error) {
		return map[string]any{"rules": e.hits()}, nil
	}))
	handle("GET /v1/proxies/{proxy}/connections", 200, s.onProxy(listConns))
	handle("POST /v1/proxies/{proxy}/connections/{id}/{command}", 200, s.onProxy(commandConn))
	handle("GET /v1/scenario", 200, func(*http.Request) (any, error) {
		s.changes.Lock()
		defer s.changes.Unlock()
		return s.progress(), nil
	})
	changing("POST /v1/proxies", 201, func(r *http.Request) (any, error) {
		data, err := body(r)
		if err != nil {
			return nil, err
		}
		p, err := parseProxy(data, s.catalogue())
		if err != nil {
			return nil, badRequest("bad request body: %w", err)
		}
		e, err := s.add(p)
		if err != nil {
			return nil, err
		}
		return e.native(), nil
	})
	changing("PATCH /v1/proxies/{proxy}", 200, s.onProxy(func(e *entry, r *http.Request) (any, error) {
		p := e.describe()
		in := struct {
			Listen   string `json:"listen"`
			Upstream string `json:"upstream"`
			Enabled  bool   `json:"enabled"`
		}{p.Listen, p.Upstream, !p.Disabled}
		if err := object(r, &in); err != nil {
			return nil, err
		}
		if err := s.move(e, in.Listen, in.Upstream, in.Enabled); err != nil {
			return nil, err
		}
		return e.native(), nil
	}))
	changing("DELETE /v1/proxies/{proxy}", 204, func(r *http.Request) (any, error) { return nil, s.remove(r.PathValue("proxy")) })
	changing("PUT /v1/proxies/{proxy}/plan", 200, s.onProxy(s.putPlan))
	changing("DELETE /v1/proxies/{proxy}/plan", 200, s.onProxy(func(e *entry, r *http.Request) (any, error) {
		return s.setPlan(e, r, faultconn.Plan{})
	}))
	changing("PUT /v1/scenario", 200, s.putScenario)
	changing("DELETE /v1/scenario", 200, func(*http.Request) (any, error) {
		s.halt()
		return s.progress(), nil
	})
	m.HandleFunc("GET /v1/events", s.stream)
	return unrouted(m)
}

// nativeProxy is a proxy in replies.
type nativeProxy struct {
	Name        string  `json:"name"`
	Listen      string  `json:"listen"`
	Upstream    string  `json:"upstream"`
	Enabled     bool    `json:"enabled"`
	Revision    int64   `json:"revision"`
	Connections int     `json:"connections"`
	Up          int64   `json:"bytesUp"`
	Down        int64   `json:"bytesDown"`
	Faults      int64   `json:"faults"`
	Plan        any     `json:"plan"`
	Toxics      []Toxic `json:"toxics,omitempty"`
	Behavior    string  `json:"behavior,omitempty"`
	Protocol    string  `json:"protocol,omitempty"`

	Options map[string]map[string]any `json:"behaviorOptions,omitempty"`
}

func (e *entry) native() nativeProxy {
	p, total := e.describe(), e.total()
	return nativeProxy{
		Name: p.Name, Listen: p.Listen, Upstream: p.Upstream, Enabled: !p.Disabled,
		Revision: total.Revision, Connections: total.Connections, Up: total.Up, Down: total.Down, Faults: total.Faults,
		Plan: p.Plan, Toxics: p.Toxics, Behavior: p.Behavior, Protocol: p.Protocol, Options: p.BehaviorOptions,
	}
}

// answer is a plan in replies.
type answer struct {
	Revision *int64         `json:"revision"`
	Plan     faultconn.Plan `json:"plan"`
}

func (e *entry) answer() answer {
	e.mu.Lock()
	defer e.mu.Unlock()
	rev := e.revision
	return answer{&rev, e.state.plan}
}

func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

func (s *Server) putPlan(e *entry, r *http.Request) (any, error) {
	data, err := body(r)
	if err != nil {
		return nil, err
	}
	plan, err := s.catalogue().Parse(data)
	if err != nil {
		return nil, badRequest("bad request body: %w", err)
	}
	return s.setPlan(e, r, plan)
}

func (s *Server) setPlan(e *entry, r *http.Request, plan faultconn.Plan) (any, error) {
	if want := r.Header.Get("If-Match"); want != "" && want != "*" {
		have := etag(e.rev())
		match := false
		for tag := range strings.SplitSeq(want, ",") {
			match = match || strings.TrimSpace(tag) == have
		}
		if !match {
			return nil, &refusal{http.StatusPreconditionFailed, errRevision(have)}
		}
	}
	if err := s.alter(e, func(st *state) { st.plan = plan }); err != nil {
		return nil, err
	}
	return e.answer(), nil
}

type errRevision string

func (e errRevision) Error() string {
	return "the plan has changed: its revision is now " + string(e) + "; read it and try again"
}

// ruleHits is a rule in force.
type ruleHits struct {
	Name string          `json:"name"`
	Kind string          `json:"kind"`
	Hits int             `json:"hits"`
	Rule json.RawMessage `json:"rule,omitempty"` // as plans have it, if they can
}

// hits are the rules in force. They are read from the injector, so that a rule
// and its hits are of one plan unless another takes its place right now.
func (e *entry) hits() []ruleHits {
	all := []ruleHits{}
	for _, r := range e.inj.Plan().Rules {
		h := ruleHits{Name: r.Name, Hits: e.inj.Hits(r.Name)}
		switch {
		case r.Fault != nil:
			h.Kind = r.Fault.Kind()
		default:
			h.Kind = "mix"
		}
		if data, err := (faultconn.Plan{Rules: []faultconn.Rule{r}}).MarshalJSON(); err == nil {
			var one struct{ Rules []json.RawMessage }
			if json.Unmarshal(data, &one) == nil && len(one.Rules) == 1 {
				h.Rule = one.Rules[0]
			}
		}
		all = append(all, h)
	}
	return all
}
