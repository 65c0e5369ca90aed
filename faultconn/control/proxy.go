package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/framing"
)

// Proxy says where a proxy listens, where it leads to, and what goes wrong in
// between.
type Proxy struct {
	// Name is what it is called by, and the point that plans know its
	// connections by. It must be set.
	Name string
	// Listen is "host:port" or "unix:/path". Port 0 is one that is free; ""
	// is a free one on localhost. A socket that a process has left behind when
	// it was killed is taken over.
	Listen string
	// Upstream is "host:port" or "unix:/path". It must be set.
	Upstream string
	// Disabled says that it does not listen: clients are refused.
	Disabled bool
	// Plan has the faults.
	Plan faultconn.Plan
	// Replay, unless it is nil, is a log of a run with the same Plan, Toxics,
	// Behavior and Server.Seed. Their faults strike where it says and nowhere
	// else, as faultconn.Injector.Replay has it, until the first change of any of
	// them. Of the log only the events of this proxy's name count.
	Replay []faultconn.Event
	// Toxics are faults in Toxiproxy's words.
	Toxics []Toxic
	// Behavior is what goes wrong in vaurien's words: a name, or percentages
	// such as "20:delay,10:error". "" and "dummy" are nothing.
	Behavior string
	// Protocol is that of the upstream, for the behaviors error and transient:
	// "http", "memcached", "redis", "mysql", "postgres", "smtp" or "ldap". They
	// then answer as an overloaded server does. "" is any: random bytes.
	Protocol string
	// BehaviorOptions are the options of vaurien's behaviors, by behavior and
	// option: {"delay": {"sleep": 2.5}}.
	BehaviorOptions map[string]map[string]any
}

// ParseConfig reads proxies from JSON, as files have them and as POST
// /v1/proxies takes one:
//
//	{"proxies": [{
//	  "name": "db",
//	  "listen": "localhost:5433",
//	  "upstream": "db:5432",
//	  "plan": {"seed": 7, "rules": [{"chance": 0.2, "fault": {"kind": "delay", "for": "2s"}}]}
//	}]}
//
// "enabled": false, "toxics", "behavior", "behaviorOptions" and
// "protocol" may be given too. A field that it
// does not know is an error. The catalogue has the faults that plans may name;
// nil is that of a zero Server.
func ParseConfig(data []byte, catalogue faultconn.Catalogue) ([]Proxy, error) {
	var file struct {
		Proxies []json.RawMessage `json:"proxies"`
	}
	if blank(data) {
		return nil, prefixed(fmt.Errorf(`config: %w: {"proxies": [...]}`, errBlank))
	}
	if err := decode(bytes.NewReader(data), &file); err != nil {
		return nil, prefixed(fmt.Errorf("config: %w", err))
	}
	catalogue = (&Server{Catalogue: catalogue}).catalogue()
	var all []Proxy
	names := map[string]bool{}
	for i, raw := range file.Proxies {
		p, err := parseProxy(raw, catalogue)
		if err == nil {
			_, err = p.check()
		}
		if err == nil && names[p.Name] {
			err = fmt.Errorf("name %q: given twice", p.Name)
		}
		if err != nil {
			return nil, prefixed(fmt.Errorf("config: proxies[%d]: %w", i, err))
		}
		names[p.Name] = true
		all = append(all, p)
	}
	return all, nil
}

// wireProxy is a Proxy in JSON.
type wireProxy struct {
	Name     string                    `json:"name"`
	Listen   string                    `json:"listen"`
	Upstream string                    `json:"upstream"`
	Enabled  *bool                     `json:"enabled,omitempty"`
	Plan     json.RawMessage           `json:"plan,omitempty"`
	Toxics   []Toxic                   `json:"toxics,omitempty"`
	Behavior string                    `json:"behavior,omitempty"`
	Protocol string                    `json:"protocol,omitempty"`
	Options  map[string]map[string]any `json:"behaviorOptions,omitempty"`
}

func parseProxy(data []byte, catalogue faultconn.Catalogue) (Proxy, error) {
	var w wireProxy
	if err := decode(bytes.NewReader(data), &w); err != nil {
		return Proxy{}, err
	}
	p := Proxy{Name: w.Name, Listen: w.Listen, Upstream: w.Upstream, Toxics: w.Toxics, Behavior: w.Behavior, Protocol: w.Protocol, BehaviorOptions: w.Options}
	p.Disabled = w.Enabled != nil && !*w.Enabled
	if len(w.Plan) > 0 && string(w.Plan) != "null" {
		var err error
		if p.Plan, err = catalogue.Parse(w.Plan); err != nil {
			return Proxy{}, err
		}
	}
	return p, nil
}

// check says what is wrong with the proxy.
func (p Proxy) check() (state, error) {
	if p.Name == "" {
		return state{}, badRequest("missing required field: name")
	}
	if err := checkName("name", p.Name); err != nil {
		return state{}, err
	}
	if p.Upstream == "" {
		return state{}, badRequest("missing required field: upstream")
	}
	if err := checkAddresses(p.Listen, p.Upstream); err != nil {
		return state{}, err
	}
	st := state{plan: p.Plan}
	st.replay = slices.DeleteFunc(slices.Clone(p.Replay), func(e faultconn.Event) bool { return e.Point != p.Name })
	for _, t := range p.Toxics {
		t, err := t.check(st.toxics)
		if err != nil {
			return state{}, err
		}
		st.toxics = append(st.toxics, t)
	}
	var err error
	if st.behavior, err = parseBehavior(p.Behavior); err != nil {
		return state{}, err
	}
	if st.behavior.protocol = p.Protocol; p.Protocol != "" {
		if err := (&framing.Reply{Protocol: p.Protocol}).Validate(); err != nil {
			return state{}, badRequest("protocol: %w", err)
		}
	}
	for name, options := range p.BehaviorOptions {
		if !slices.Contains(behaviorNames(), name) {
			return state{}, noBehavior(name)
		}
		if err := st.behavior.set(name, options); err != nil {
			return state{}, err
		}
	}
	if err := (faultconn.Plan{Rules: st.rules(0)}).Validate(); err != nil {
		return state{}, badRequest("%w", err)
	}
	return st, nil
}

// checkName refuses names that could not be told from others, or not be called
// by: clients resolve "." and ".." in paths.
func checkName(field, name string) error {
	switch {
	case len(name) > 100 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return badRequest("%s %.100q: must be at most 100 bytes, and text", field, name)
	case name == "." || name == "..":
		return badRequest("%s %q: could not be called by its name", field, name)
	}
	return nil
}

func checkAddresses(listen, upstream string) error {
	for _, a := range []struct{ field, address string }{{"listen", listen}, {"upstream", upstream}} {
		if path, ok := strings.CutPrefix(a.address, "unix:"); ok && path != "" {
			continue
		}
		if a.field == "listen" && a.address == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(a.address); err != nil {
			return badRequest("%s %.100q: must be host:port or unix:/path", a.field, a.address)
		}
	}
	return nil
}

// decode reads one JSON value, strictly.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	return ended(d)
}

func ended(d *json.Decoder) error {
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the value")
	}
	return nil
}
