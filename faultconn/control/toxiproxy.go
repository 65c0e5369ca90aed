package control

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// apiVersion is that of the Toxiproxy whose API this is.
const apiVersion = "2.12.0"

// Toxiproxy speaks the HTTP API of Toxiproxy 2.x: every route with its fields,
// statuses and errors. TOXIPROXY.md lists where it differs.
func (s *Server) Toxiproxy() http.Handler {
	m := http.NewServeMux()
	s.toxiproxy(m)
	return s.Guard(noBrowsers(m))
}

// noBrowsers refuses what calls itself a browser.
func noBrowsers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.UserAgent(), "Mozilla/") {
			http.Error(w, "User agent not allowed", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) toxiproxy(m *http.ServeMux) {
	handle := func(pattern string, code int, f func(r *http.Request) (any, error)) {
		m.Handle(pattern, noBrowsers(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, err := f(r)
			reply(w, code, v, err)
		})))
	}
	changing := func(pattern string, code int, f func(r *http.Request) (any, error)) {
		handle(pattern, code, s.inTurn(f))
	}
	handle("GET /version", 200, func(*http.Request) (any, error) { return map[string]string{"version": apiVersion}, nil })
	handle("GET /proxies", 200, func(*http.Request) (any, error) {
		all := map[string]toxicProxy{}
		for _, e := range s.entries() {
			all[e.name] = toxicProxyOf(e)
		}
		return all, nil
	})
	handle("GET /proxies/{proxy}", 200, s.onProxy(func(e *entry, _ *http.Request) (any, error) { return toxicProxyOf(e), nil }))
	handle("GET /proxies/{proxy}/toxics", 200, s.onProxy(func(e *entry, _ *http.Request) (any, error) {
		return toxicProxyOf(e).Toxics, nil
	}))
	handle("GET /proxies/{proxy}/toxics/{toxic}", 200, s.onProxy(func(e *entry, r *http.Request) (any, error) {
		st := e.current()
		i, err := st.toxic(r.PathValue("toxic"))
		if err != nil {
			return nil, err
		}
		return st.toxics[i], nil
	}))
	changing("POST /reset", 204, s.resetAll)
	changing("POST /proxies", 201, s.createProxy)
	changing("DELETE /proxies/{proxy}", 204, func(r *http.Request) (any, error) { return nil, s.remove(r.PathValue("proxy")) })
	changing("POST /proxies/{proxy}/toxics", 200, s.onProxy(s.createToxic))
	changing("DELETE /proxies/{proxy}/toxics/{toxic}", 204, s.onProxy(s.deleteToxic))
	for _, method := range []string{"POST", "PATCH"} {
		changing(method+" /proxies/{proxy}", 200, s.onProxy(s.updateProxy))
		changing(method+" /proxies/{proxy}/toxics/{toxic}", 200, s.onProxy(s.updateToxic))
	}
	m.Handle("POST /populate", noBrowsers(http.HandlerFunc(s.populate)))
	m.Handle("GET /metrics", noBrowsers(http.HandlerFunc(s.metrics)))
}

func (s *Server) onProxy(f func(e *entry, r *http.Request) (any, error)) func(r *http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		e, err := s.lookup(r.PathValue("proxy"))
		if err != nil {
			return nil, err
		}
		return f(e, r)
	}
}

// toxicProxy is a proxy as Toxiproxy shows it.
type toxicProxy struct {
	Name     string  `json:"name"`
	Listen   string  `json:"listen"`
	Upstream string  `json:"upstream"`
	Enabled  bool    `json:"enabled"`
	Toxics   []Toxic `json:"toxics"`
}

func toxicProxyOf(e *entry) toxicProxy {
	p := e.describe()
	toxics := append([]Toxic{}, p.Toxics...) // [] rather than null
	slices.SortStableFunc(toxics, func(a, b Toxic) int { return strings.Compare(b.Stream, a.Stream) })
	return toxicProxy{p.Name, p.Listen, p.Upstream, !p.Disabled, toxics}
}

// resetAll enables all proxies and takes all toxics off. Plans and behaviors
// are not Toxiproxy's, and stay.
func (s *Server) resetAll(*http.Request) (any, error) {
	var moves []*moving
	for _, e := range s.entries() {
		p := e.describe()
		m, err := s.prepare(e, p.Listen, p.Upstream, true)
		if err != nil {
			for _, m := range moves {
				s.cancel(m)
			}
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
		moves = append(moves, m)
	}
	for _, m := range moves {
		s.commit(m)
	}
	for _, e := range s.entries() {
		if len(e.current().toxics) == 0 {
			continue
		}
		if err := s.alter(e, func(st *state) {
			for len(st.toxics) > 0 {
				st.removeToxic(0, e)
			}
		}); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s *Server) createProxy(r *http.Request) (any, error) {
	data, err := body(r)
	if err != nil {
		return nil, err
	}
	in := struct {
		Name, Listen, Upstream string
		Enabled                bool
		Toxics                 []Toxic
	}{Enabled: true}
	if err := lenient(data, &in); err != nil {
		return nil, err
	}
	e, err := s.add(Proxy{Name: in.Name, Listen: in.Listen, Upstream: in.Upstream, Disabled: !in.Enabled, Toxics: in.Toxics})
	if err != nil {
		return nil, err
	}
	return toxicProxyOf(e), nil
}

func (s *Server) updateProxy(e *entry, r *http.Request) (any, error) {
	data, err := body(r)
	if err != nil {
		return nil, err
	}
	p := e.describe()
	in := struct {
		Listen, Upstream string
		Enabled          bool
	}{p.Listen, p.Upstream, !p.Disabled}
	if err := lenient(data, &in); err != nil {
		return nil, err
	}
	if err := s.move(e, in.Listen, in.Upstream, in.Enabled); err != nil {
		return nil, err
	}
	return toxicProxyOf(e), nil
}

func (s *Server) createToxic(e *entry, r *http.Request) (any, error) {
	data, err := body(r)
	if err != nil {
		return nil, err
	}
	var t Toxic
	if err := t.decode(data); err != nil {
		return nil, err
	}
	if t, err = t.check(e.current().toxics); err != nil {
		return nil, err
	}
	return t, s.alter(e, func(st *state) { st.toxics = append(st.toxics, t) })
}

func (s *Server) updateToxic(e *entry, r *http.Request) (any, error) {
	data, err := body(r)
	if err != nil {
		return nil, err
	}
	st := e.current()
	i, err := st.toxic(r.PathValue("toxic"))
	if err != nil {
		return nil, err
	}
	t := st.toxics[i]
	if err := t.update(data, false); err != nil {
		return nil, badRequest("bad request body: %w", err)
	}
	if t, err = t.check(nil); err != nil {
		return nil, err
	}
	return t, s.alter(e, func(st *state) { st.toxics[i] = t })
}

func (s *Server) deleteToxic(e *entry, r *http.Request) (any, error) {
	st := e.current()
	i, err := st.toxic(r.PathValue("toxic"))
	if err != nil {
		return nil, err
	}
	return nil, s.alter(e, func(st *state) { st.removeToxic(i, e) })
}

func (t *Toxic) decode(data []byte) error {
	*t = Toxic{Toxicity: 1}
	if err := t.update(data, true); err != nil {
		return badRequest("bad request body: %w", err)
	}
	return nil
}

func (st *state) toxic(name string) (int, error) {
	i := slices.IndexFunc(st.toxics, func(t Toxic) bool { return t.Name == name })
	if i < 0 {
		return 0, &refusal{http.StatusNotFound, errToxicNotFound}
	}
	return i, nil
}

// removeToxic takes a toxic off, and the connections along that it has starved.
func (st *state) removeToxic(i int, e *entry) {
	if t := st.toxics[i]; t.Type == "timeout" && t.Toxicity > 0 {
		st.leaving = append(st.leaving, leaving{toxic: t, last: int(e.dials.Load()), since: time.Now()})
	}
	st.toxics = slices.Delete(st.toxics, i, i+1)
}
