package control

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// Toxic is a fault in Toxiproxy's words. TOXIPROXY.md says which rules each of
// them becomes.
type Toxic struct {
	// Name is unique in its proxy. "" becomes the type and the stream:
	// "latency_downstream".
	Name string `json:"name"`
	// Type is latency, bandwidth, slow_close, timeout, reset_peer, slicer,
	// limit_data or noop.
	Type string `json:"type"`
	// Stream is "upstream" for what clients send, or "downstream" for what they
	// receive. "" is "downstream".
	Stream string `json:"stream"`
	// Toxicity is the chance that a connection is struck, drawn once for its
	// life. 0 is never; where JSON leaves it out it is 1.
	Toxicity float32 `json:"toxicity"`
	// Attributes are the numbers that the type has, as Toxiproxy documents
	// them. Those left out are 0.
	Attributes map[string]int64 `json:"attributes"`
}

// A toxicType has the attributes of a type, and the rules that it becomes.
type toxicType struct {
	attributes []string
	// check looks at what the rules' own validation would not name well.
	least map[string]int64
	rules func(a map[string]int64, up bool) []faultconn.Rule
}

// longestMS keeps milliseconds within what a time.Duration can hold.
const longestMS = math.MaxInt64 / int64(time.Millisecond)

func ms(n int64) time.Duration { return time.Duration(min(n, longestMS)) * time.Millisecond }

// toxicTypeOf is a switch rather than a table because there are no globals.
func toxicTypeOf(name string) (toxicType, bool) {
	switch name {
	case "latency":
		return toxicType{attributes: []string{"latency", "jitter"}, rules: func(a map[string]int64, up bool) []faultconn.Rule {
			return []faultconn.Rule{on(up, fault.Delay{For: ms(a["latency"]), Jitter: ms(a["jitter"])}, true)}
		}}, true
	case "bandwidth":
		return toxicType{attributes: []string{"rate"}, least: map[string]int64{"rate": math.MinInt64}, rules: func(a map[string]int64, up bool) []faultconn.Rule {
			if a["rate"] <= 0 {
				return []faultconn.Rule{on(up, fault.Hang{}, true)}
			}
			return []faultconn.Rule{on(up, fault.Bandwidth{Rate: min(a["rate"], math.MaxInt64/1000) * 1000}, false)}
		}}, true
	case "slow_close":
		return toxicType{attributes: []string{"delay"}, rules: func(a map[string]int64, up bool) []faultconn.Rule {
			r := on(up, fault.Delay{For: ms(a["delay"])}, true)
			r.Select.Ops = r.Select.Ops[1:]
			return []faultconn.Rule{r}
		}}, true
	case "timeout":
		return toxicType{attributes: []string{"timeout"}, rules: func(a map[string]int64, up bool) []faultconn.Rule {
			rules := []faultconn.Rule{on(up, fault.BlackHole{}, false)}
			if t := a["timeout"]; t > 0 {
				rules = append(rules, faultconn.Rule{
					Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpClock}},
					When:   faultconn.When{Age: ms(t)}, Fault: fault.Close{},
				})
			}
			return rules
		}}, true
	case "reset_peer":
		return toxicType{attributes: []string{"timeout"}, rules: func(a map[string]int64, up bool) []faultconn.Rule {
			return []faultconn.Rule{on(up, lateReset{After: ms(a["timeout"])}, false)}
		}}, true
	case "slicer":
		return toxicType{attributes: []string{"average_size", "size_variation", "delay"}, rules: func(a map[string]int64, up bool) []faultconn.Rule {
			most := int64(math.MaxInt32)
			return []faultconn.Rule{on(up, fault.Slice{
				Size: int(min(a["average_size"], most)), Vary: int(min(a["size_variation"], most)),
				Gap: time.Duration(min(a["delay"], longestMS)) * time.Microsecond,
			}, false)}
		}}, true
	case "limit_data":
		return toxicType{attributes: []string{"bytes"}, rules: func(a map[string]int64, up bool) []faultconn.Rule {
			return []faultconn.Rule{on(up, limit{Bytes: a["bytes"]}, false)}
		}}, true
	case "noop":
		return toxicType{rules: func(map[string]int64, bool) []faultconn.Rule { return nil }}, true
	}
	return toxicType{}, false
}

// on is a rule for the data of one direction, and for their end if asked.
func on(up bool, f faultconn.Fault, end bool) faultconn.Rule {
	ops := []faultconn.OpKind{faultconn.OpRead, faultconn.OpPeerClose}
	if up {
		ops = []faultconn.OpKind{faultconn.OpWrite, faultconn.OpCloseWrite}
	}
	if !end {
		ops = ops[:1]
	}
	return faultconn.Rule{Select: faultconn.Select{Ops: ops}, Scope: faultconn.PerConnection, Fault: f}
}

// rules are what the toxic, which has been checked, stands for.
func (t Toxic) rules(seed uint64) []faultconn.Rule {
	if t.Toxicity <= 0 {
		return nil // never; a rule that cannot strike would cost and not be seen
	}
	kind, _ := toxicTypeOf(t.Type)
	rules := kind.rules(t.Attributes, t.Stream == "upstream")
	for i := range rules {
		rules[i].Name = t.ruleName()
		if i > 0 {
			rules[i].Name += " end"
		}
		if t.Toxicity < 1 {
			rules[i].Fault = portion{Fault: rules[i].Fault, Of: t.draw(seed), Chance: float64(t.Toxicity)}
		}
	}
	return rules
}

// draw seeds the choice of connections. It is the same whatever else changes.
func (t Toxic) draw(seed uint64) uint64 { return seed ^ hash(t.Name) }

func (t Toxic) ruleName() string { return "toxic " + t.Name }

// check returns the toxic with its defaults, among others of the proxy.
func (t Toxic) check(others []Toxic) (Toxic, error) {
	switch t.Stream {
	case "":
		t.Stream = "downstream"
	case "upstream", "downstream":
	default:
		if t.Stream = strings.ToLower(t.Stream); t.Stream != "upstream" && t.Stream != "downstream" {
			return t, badRequest("stream was invalid, can be either upstream or downstream")
		}
	}
	kind, ok := toxicTypeOf(t.Type)
	if !ok {
		return t, badRequest("invalid toxic type")
	}
	if t.Name == "" {
		t.Name = t.Type + "_" + t.Stream
	}
	if err := checkName("toxic name", t.Name); err != nil {
		return t, err
	}
	if slices.ContainsFunc(others, func(o Toxic) bool { return o.Name == t.Name }) {
		return t, conflict("toxic already exists")
	}
	if t.Toxicity != t.Toxicity { // only Go code can say so
		return t, badRequest("toxicity: must be a number")
	}
	attributes := map[string]int64{}
	for _, name := range kind.attributes {
		v := t.Attributes[name]
		if v < kind.least[name] {
			return t, badRequest("attributes.%s %d: must not be negative", name, v)
		}
		attributes[name] = v
	}
	for name := range t.Attributes {
		if !slices.Contains(kind.attributes, name) {
			return t, badRequest("attributes.%.50q: %s has no such attribute", name, t.Type)
		}
	}
	t.Attributes = attributes
	return t, nil
}

// UnmarshalJSON reads a toxic as Toxiproxy does: toxicity is 1 where it is left
// out, names match in any case, and what it does not know is ignored.
func (t *Toxic) UnmarshalJSON(data []byte) error {
	*t = Toxic{Toxicity: 1}
	return t.update(data, true)
}

// update reads attributes and toxicity, and all the rest of a new toxic, over
// those that it has. On an error it is unchanged.
func (t *Toxic) update(data []byte, all bool) error {
	w := struct {
		Name, Type, Stream string
		Toxicity           float32
		Attributes         json.RawMessage
	}{t.Name, t.Type, t.Stream, t.Toxicity, nil}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&w); err != nil {
		return err
	}
	if err := ended(d); err != nil {
		return err
	}
	next := *t
	next.Toxicity = w.Toxicity
	if all {
		next.Name, next.Type, next.Stream = w.Name, w.Type, w.Stream
	}
	var given map[string]json.RawMessage
	if len(w.Attributes) > 0 {
		if err := json.Unmarshal(w.Attributes, &given); err != nil {
			return fmt.Errorf("attributes: must be an object of whole numbers")
		}
	}
	kind, _ := toxicTypeOf(next.Type)
	next.Attributes = maps.Clone(t.Attributes)
	if next.Attributes == nil {
		next.Attributes = map[string]int64{}
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		name := strings.ToLower(key)
		if !slices.Contains(kind.attributes, name) || string(given[key]) == "null" {
			continue
		}
		var v int64
		if err := json.Unmarshal(given[key], &v); err != nil {
			return fmt.Errorf("attributes.%s %.40s: must be a whole number", name, given[key])
		}
		next.Attributes[name] = v
	}
	*t = next
	return nil
}
