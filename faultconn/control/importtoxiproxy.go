package control

import (
	"encoding/json"
	"fmt"
)

// FromToxiproxy reads the configuration file of a Toxiproxy server, which is
// what POST /populate takes. Unlike there, toxics in it are honoured. A warning
// is one line about something that has no equal.
func FromToxiproxy(data []byte) (proxies []Proxy, warnings []string, err error) {
	if blank(data) {
		return nil, nil, prefixed(fmt.Errorf(`toxiproxy config: %w: [{"name": ...}]`, errBlank))
	}
	var all []json.RawMessage
	if err := lenient(data, &all); err != nil {
		return nil, nil, prefixed(fmt.Errorf("toxiproxy config: %w", err))
	}
	names := map[string]bool{}
	for i, raw := range all {
		var in populated
		if err := lenient(raw, &in); err != nil {
			return nil, nil, prefixed(fmt.Errorf("toxiproxy config: proxy %d: %w", i+1, err))
		}
		p := in.proxy()
		if _, err := p.check(); err != nil {
			return nil, nil, prefixed(fmt.Errorf("toxiproxy config: proxy %d: %w", i+1, err))
		}
		if names[p.Name] {
			return nil, nil, prefixed(fmt.Errorf("toxiproxy config: proxy %d: name %q: given twice", i+1, p.Name))
		}
		names[p.Name] = true
		proxies = append(proxies, p)
		warnings = append(warnings, strangers(p.Name, raw, "name", "listen", "upstream", "enabled", "toxics")...)
		var toxics struct{ Toxics []json.RawMessage }
		if json.Unmarshal(raw, &toxics) != nil {
			continue // read above
		}
		for j, raw := range toxics.Toxics {
			where := fmt.Sprintf("%s: toxic %d", p.Name, j+1)
			warnings = append(warnings, strangers(where, raw, "name", "type", "stream", "toxicity", "attributes")...)
			var a struct{ Attributes json.RawMessage }
			if kind, ok := toxicTypeOf(p.Toxics[j].Type); ok && json.Unmarshal(raw, &a) == nil {
				warnings = append(warnings, strangers(where+": attributes", a.Attributes, kind.attributes...)...)
			}
		}
	}
	return proxies, warnings, nil
}

// strangers are the members of an object that are not known, a line for each.
func strangers(where string, object json.RawMessage, known ...string) []string {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil
	}
	return unknown(where, members, known)
}
