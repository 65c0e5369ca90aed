package control

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
)

// behavior is what goes wrong in vaurien's words.
type behavior struct {
	text    string // a name or percentages; "" is dummy
	shares  []share
	options map[string]map[string]any // by behavior; kept when another is chosen

	protocol string // of errors; "" is random bytes
	chosen   int    // how many times one has been
}

type share struct {
	name    string
	percent float64
}

func behaviorNames() []string {
	return []string{"abort", "blackout", "delay", "dummy", "error", "hang", "transient"}
}

func (b behavior) name() string {
	if b.text == "" {
		return "dummy"
	}
	return b.text
}

// parseBehavior reads a name or percentages.
func parseBehavior(text string) (behavior, error) {
	b := behavior{text: text}
	if text == "" {
		return b, nil
	}
	if !strings.Contains(text, ":") {
		if !slices.Contains(behaviorNames(), text) {
			return b, noBehavior(text)
		}
		b.shares = []share{{text, 100}}
		return b, nil
	}
	total := 0.0
	for part := range strings.SplitSeq(text, ",") {
		percent, name, _ := strings.Cut(strings.TrimSpace(part), ":")
		p, err := strconv.ParseFloat(percent, 64)
		if err != nil || math.IsNaN(p) || p < 0 {
			return b, badRequest(`behavior %.100q: must be a name, or percentages such as "20:delay,10:error"`, text)
		}
		if !slices.Contains(behaviorNames(), name) {
			return b, noBehavior(name)
		}
		total += p
		if i := slices.IndexFunc(b.shares, func(s share) bool { return s.name == name }); i >= 0 {
			b.shares[i].percent += p
			continue
		}
		b.shares = append(b.shares, share{name, p})
	}
	if total > 100 {
		return b, badRequest("behavior %.100q: percentages add up to %v: must not exceed 100", text, total)
	}
	return b, nil
}

func noBehavior(name string) error {
	return badField{"name", badRequest("the '%.50s' behavior does not exist", name)}
}

// choose makes a behavior, or percentages of several, what goes wrong. Options
// that are not given are those it had; a mix is given none, as they could be
// those of any of its parts.
func (b behavior) choose(name string, options map[string]any) (behavior, error) {
	if name == "" {
		return b, noBehavior(name)
	}
	next, err := parseBehavior(name)
	if err != nil {
		return b, err
	}
	next.options, next.protocol, next.chosen = b.options, b.protocol, b.chosen+1
	if strings.Contains(name, ":") {
		for option := range options {
			return b, badField{option, badRequest("options are for one behavior by its name, not for %.100q", name)}
		}
		return next, nil
	}
	return next, next.set(name, options)
}

// set changes options of a behavior. Those that are not given stay.
func (b *behavior) set(name string, options map[string]any) error {
	kept := maps.Clone(b.options[name])
	if kept == nil {
		kept = map[string]any{}
	}
	for _, option := range slices.Sorted(maps.Keys(options)) {
		v, err := behaviorOption(name, option, options[option])
		if err != nil {
			return badField{option, err}
		}
		kept[option] = v
	}
	b.options = maps.Clone(b.options) // others hold the one before
	if b.options == nil {
		b.options = map[string]map[string]any{}
	}
	b.options[name] = kept
	return nil
}

// behaviorOption checks a value, which may be text, as config files have it.
func behaviorOption(name, option string, value any) (any, error) {
	var known []string
	switch name {
	case "delay":
		known = []string{"sleep", "before"}
	case "error":
		known = []string{"inject", "warmup"}
	case "transient":
		known = []string{"inject", "warmup", "agitate"}
	}
	if !slices.Contains(known, option) {
		if len(known) == 0 {
			return nil, badRequest("%.50s has no option %.50q: it has none", name, option)
		}
		return nil, badRequest("%.50s has no option %.50q: there are %s", name, option, strings.Join(known, ", "))
	}
	text := fmt.Sprint(value)
	switch option {
	case "before", "inject":
		if b, err := strconv.ParseBool(strings.ToLower(text)); err == nil {
			return b, nil
		}
		return nil, badRequest("%s %.50q: must be true or false", option, text)
	case "sleep":
		if f, err := strconv.ParseFloat(text, 64); err == nil && f >= 0 && f <= 1e9 {
			return f, nil
		}
		return nil, badRequest("%s %.50q: must be a number of seconds, not negative", option, text)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f >= 0 && f == math.Trunc(f) && f <= 1e9 {
		return int(f), nil
	}
	return nil, badRequest("%s %.50q: must be a whole number, not negative", option, text)
}

// rules are what the behavior stands for. One alone has its rules to itself;
// several share one rule, whose draw chooses among them in each exchange.
func (b behavior) rules() []faultconn.Rule {
	if len(b.shares) == 1 && b.shares[0].percent == 100 {
		return b.alone(b.shares[0].name)
	}
	var mix []faultconn.Share
	var rules []faultconn.Rule
	for _, s := range b.shares {
		if s.name == "dummy" || s.percent == 0 {
			continue
		}
		switch f := b.fault(s.name).(type) {
		case *framing.Reply: // has to see all messages, so it draws by itself
			f.Messages.Chance = s.percent / 100
			rules = append(rules, faultconn.Rule{Name: "behavior " + s.name, Fault: f})
		default:
			mix = append(mix, faultconn.Share{Percent: s.percent, Fault: f})
		}
	}
	if len(mix) > 0 {
		rules = append(rules, faultconn.Rule{Name: "behavior", Mix: mix})
	}
	return rules
}

func (b behavior) alone(name string) []faultconn.Rule {
	r := faultconn.Rule{Name: "behavior " + name}
	switch name {
	case "dummy":
		return nil
	case "delay":
		if b.option(name, "before", true).(bool) {
			r.Select.Ops = []faultconn.OpKind{faultconn.OpWrite}
		}
	case "error", "transient":
		skip, first := b.option(name, "warmup", 0).(int), 0
		if name == "transient" {
			if first = b.option(name, "agitate", 1).(int); first == 0 {
				return nil
			}
		}
		if reply, ok := b.fault(name).(*framing.Reply); ok {
			// It counts messages itself, and has to see all of them.
			reply.Messages.Skip, reply.Messages.First = skip, first
			r.Fault = reply
			return []faultconn.Rule{r}
		}
		r.When.Skip, r.When.First = skip, first
	case "hang":
		r.Select.Ops = []faultconn.OpKind{faultconn.OpWrite, faultconn.OpRead, faultconn.OpPeerClose}
	case "blackout":
		r.Select.Ops = []faultconn.OpKind{faultconn.OpDial, faultconn.OpWrite, faultconn.OpRead, faultconn.OpClock}
	}
	r.Fault = b.fault(name)
	return []faultconn.Rule{r}
}

func (b behavior) fault(name string) faultconn.Fault {
	switch name {
	case "delay":
		return fault.Delay{For: time.Duration(b.option(name, "sleep", 1.0).(float64) * float64(time.Second))}
	case "error", "transient":
		if inject := b.option(name, "inject", false).(bool); b.protocol != "" && !inject {
			return &framing.Reply{Protocol: b.protocol}
		}
		return fault.Garbage{Inside: b.option(name, "inject", false).(bool)}
	case "hang":
		return fault.BlackHole{}
	case "blackout":
		return fault.Close{}
	case "abort":
		return fault.Abort{}
	}
	return fault.Normal{}
}

func (b behavior) option(name, option string, otherwise any) any {
	if v, ok := b.options[name][option]; ok {
		return v
	}
	return otherwise
}
