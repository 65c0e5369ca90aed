package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// FromVaurien reads a configuration file of vaurien 2.0. "${NAME}" in a value
// is what env says; nil knows none. A warning is one line about an option that
// has no equal, or means something else here.
//
// The options of behaviors that vaurien documents for its files and then takes
// from its command line only, such as sleep in [behavior:delay], are honoured.
func FromVaurien(data []byte, env func(name string) (value string, ok bool)) (p Proxy, warnings []string, err error) {
	sections, err := parseINI(string(data), env)
	if err != nil {
		return Proxy{}, nil, prefixed(fmt.Errorf("vaurien config: %w", err))
	}
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	p = Proxy{Name: "vaurien", Listen: "localhost:8000", Upstream: "localhost:80"}
	for _, name := range slices.Sorted(maps.Keys(sections)) {
		options := sections[name]
		behavior, isBehavior := strings.CutPrefix(strings.Replace(name, ".", ":", 1), "behavior:")
		switch {
		case name == "vaurien":
			for _, option := range slices.Sorted(maps.Keys(options)) {
				switch value := options[option]; option {
				case "proxy":
					p.Listen = value
				case "backend":
					p.Upstream = value
				case "behavior":
					p.Behavior = value
				case "protocol":
					switch value {
					case "tcp":
					case "memcache":
						p.Protocol = "memcached"
					case "http", "redis", "mysql", "smtp":
						p.Protocol = value
					default:
						warn("[vaurien] protocol = %s: has no equal", value)
					}
				case "http", "http_host", "http_port":
					warn("[vaurien] %s: is not of a proxy: chaosproxy has -control", option)
				default:
					warn("[vaurien] %s: has no equal", option)
				}
			}
		case isBehavior && slices.Contains(behaviorNames(), behavior):
			for _, option := range slices.Sorted(maps.Keys(options)) {
				v, err := behaviorOption(behavior, option, options[option])
				if err != nil {
					warn("[%s] %s: %v", name, option, err)
					continue
				}
				if p.BehaviorOptions == nil {
					p.BehaviorOptions = map[string]map[string]any{}
				}
				if p.BehaviorOptions[behavior] == nil {
					p.BehaviorOptions[behavior] = map[string]any{}
				}
				p.BehaviorOptions[behavior][option] = v
			}
		case isBehavior:
			warn("[%s]: has no equal: a behavior written in Python", name)
		case name == "statsd":
			warn("[statsd]: is not of a proxy: chaosproxy has -statsd and -statsd-prefix")
		case strings.EqualFold(name, "default") && options["extends"] != "":
			warn("[%s] extends = %s: is not read: put its options here", name, options["extends"])
		default:
			warn("[%s]: has no equal", name)
		}
	}
	st, err := p.check()
	if err != nil {
		return Proxy{}, nil, prefixed(fmt.Errorf("vaurien config: %w", err))
	}
	if len(st.behavior.shares) > 1 {
		for _, o := range []struct{ behavior, option string }{{"delay", "before"}, {"error", "warmup"}, {"transient", "warmup"}, {"transient", "agitate"}} {
			if _, ok := p.BehaviorOptions[o.behavior][o.option]; ok {
				warn("[behavior:%s] %s: has no equal in a mix of behaviors", o.behavior, o.option)
			}
		}
	}
	return p, warnings, nil
}

// parseINI reads sections of options. A line that begins with a space continues
// the value before it.
func parseINI(text string, env func(string) (string, bool)) (map[string]map[string]string, error) {
	sections := map[string]map[string]string{}
	var options map[string]string
	last := ""
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
			continue
		case trimmed[0] == '[':
			name, ok := strings.CutSuffix(trimmed[1:], "]")
			if !ok {
				return nil, fmt.Errorf("line %d: %.50q: a section ends with ]", i+1, trimmed)
			}
			if sections[name] == nil {
				sections[name] = map[string]string{}
			}
			options, last = sections[name], ""
			continue
		case options == nil:
			return nil, fmt.Errorf("line %d: %.50q: comes before the first section", i+1, trimmed)
		case line[0] == ' ' || line[0] == '\t':
			if last == "" {
				return nil, fmt.Errorf("line %d: %.50q: continues nothing", i+1, trimmed)
			}
			options[last] += "," + strings.TrimSuffix(trimmed, ",")
			continue
		}
		at := strings.IndexAny(trimmed, "=:")
		if at <= 0 {
			return nil, fmt.Errorf("line %d: %.50q: must be option = value", i+1, trimmed)
		}
		last = strings.TrimSpace(trimmed[:at])
		value := strings.TrimSpace(trimmed[at+1:])
		if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		value, err := Expand(value, env)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		options[last] = value
	}
	for _, options := range sections {
		for name, value := range options {
			options[name] = strings.Trim(value, ",")
		}
	}
	return sections, nil
}
