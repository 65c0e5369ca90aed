package faultconn_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
)

func TestValidateNamesRuleAndField(t *testing.T) {
	hang := fault.Hang{}
	for want, rule := range map[string]faultconn.Rule{
		`rule "x": chance 1.5: must be within [0, 1]`:                                   {Chance: 1.5, Fault: hang},
		`rule "x": chance -1: must be within [0, 1]`:                                    {Chance: -1, Fault: hang},
		`rule "x": chance NaN: must be within [0, 1]`:                                   {Chance: math.NaN(), Fault: hang},
		`rule "x": fault: missing: set fault or mix`:                                    {},
		`rule "x": mix: set together with fault`:                                        {Fault: hang, Mix: []faultconn.Share{{Percent: 1, Fault: hang}}},
		`rule "x": chance 0.5: set together with mix`:                                   {Chance: .5, Mix: []faultconn.Share{{Percent: 1, Fault: hang}}},
		`rule "x": mix[1].fault: missing`:                                               {Mix: []faultconn.Share{{Percent: 1, Fault: hang}, {Percent: 2}}},
		`rule "x": mix[0].percent 101: must be within [0, 100]`:                         {Mix: []faultconn.Share{{Percent: 101, Fault: hang}}},
		`rule "x": mix: percentages add up to 110: must not exceed 100`:                 {Mix: []faultconn.Share{{Percent: 60, Fault: hang}, {Percent: 50, Fault: hang}}},
		`rule "x": scope "often": must be one of exchange, connection, operation, byte`: {Scope: "often", Fault: hang},
		`rule "x": select.ops: "lunch": must be one of [dial accept read`:               {Select: faultconn.Select{Ops: []faultconn.OpKind{"lunch"}}, Fault: hang},
		`rule "x": select.conns: 0: connections are numbered from 1`:                    {Select: faultconn.Select{Conns: []int{0}}, Fault: hang},
		`rule "x": select.peer "10.0.0.0/99": not an address`:                           {Select: faultconn.Select{Peer: "10.0.0.0/99"}, Fault: hang},
		`rule "x": when.skip: must not be negative`:                                     {When: faultconn.When{Skip: -1}, Fault: hang},
		`rule "x": when.until 5: must be greater than from, which is 9`:                 {When: faultconn.When{From: 9, Until: 5}, Fault: hang},
		`rule "x": when.before 1s: must be later than after, which is 2s`:               {When: faultconn.When{After: 2 * time.Second, Before: time.Second}, Fault: hang},
		`rule "x": when.period 1s: must not be shorter than after and before`:           {When: faultconn.When{Before: 2 * time.Second, Period: time.Second}, Fault: hang},
		`rule "x": when.cycle 2: must be greater than skip, which is 2`:                 {When: faultconn.When{Skip: 2, Cycle: 2}, Fault: hang},
		`rule "x": limits.hits -1: must not be negative`:                                {Limits: faultconn.Limits{Hits: -1}, Fault: hang},
		`rule "x": fault delay: for, jitter, table, step, max: must not be negative`:    {Fault: fault.Delay{For: -1}},
		`rule "x": fault delay: max: missing: step 1s needs a bound`:                    {Fault: fault.Delay{Step: time.Second}},
		`rule "x": fault fail: with "bad luck": must be one of reset, pipe`:             {Fault: fault.Fail{With: "bad luck"}},
	} {
		rule.Name = "x"
		var inj faultconn.Injector
		err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{rule}})
		if err == nil || !strings.HasPrefix(err.Error(), "faultconn: "+want) {
			t.Errorf("got  %v\nwant faultconn: %s", err, want)
		}
	}
	twice := faultconn.Plan{Rules: []faultconn.Rule{{Name: "x", Fault: hang}, {Name: "x", Fault: hang}}}
	if err := twice.Validate(); err == nil || err.Error() != `faultconn: rule "x": name: used twice` {
		t.Errorf("two rules of one name: %v", err)
	}
	unnamed := faultconn.Plan{Rules: []faultconn.Rule{{Fault: hang}, {Chance: 2, Fault: hang}}}
	if err := unnamed.Validate(); err == nil || err.Error() != `faultconn: rule "rule 2": chance 2: must be within [0, 1]` {
		t.Errorf("unnamed rule: %v", err)
	}
}

// A plan that is refused leaves the one in force alone.
func TestBadPlanChangesNothing(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, one(fault.Hang{}))
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{}}}); err == nil {
		t.Fatal("a rule without a fault was taken")
	}
	if got := inj.Unfired(); !reflect.DeepEqual(got, []string{"r"}) {
		t.Errorf("rules in force: %q", got)
	}
}

// full has something in every field a plan file can name.
func full() faultconn.Plan {
	return faultconn.Plan{Seed: math.MaxUint64, Rules: []faultconn.Rule{
		{
			Name:   "every field",
			Select: faultconn.Select{Point: "db", Ops: []faultconn.OpKind{faultconn.OpRead, faultconn.OpCloseWrite}, Conns: []int{1, 3}, Peer: "10.0.0.0/8"},
			When: faultconn.When{
				Skip: 1, First: 2, Every: 3, Cycle: 9, PerConn: true, From: 4, Until: math.MaxInt64, Pattern: "GET /slow",
				After: 1500 * time.Millisecond, Before: time.Hour, Period: 24 * time.Hour, Age: time.Nanosecond,
			},
			Scope:  faultconn.PerByte,
			Chance: 0.001,
			Fault:  fault.Delay{For: time.Second, Jitter: time.Microsecond, Step: time.Minute, Max: time.Hour, Fall: true},
			Limits: faultconn.Limits{Hits: 9, Conns: 2},
		},
		{Name: "mix", Mix: []faultconn.Share{{Percent: 12.5, Fault: fault.Garbage{Text: "\x00é\"", Inside: true}}, {Fault: fault.Hang{}}}},
	}}
}

func TestPlanRoundTrip(t *testing.T) {
	want := full()
	if err := want.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, marshal := range []func() ([]byte, error){
		func() ([]byte, error) { return json.Marshal(want) },
		func() ([]byte, error) { return json.MarshalIndent(want, "", "\t") },
		func() ([]byte, error) { return []byte(want.String()), nil },
	} {
		data, err := marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := fault.Catalogue().Parse(data)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ncomes back as %v, %v", data, got, err)
		}
	}
	if got := (faultconn.Plan{}).String(); got != "{}" {
		t.Errorf("the zero plan is %s", got)
	}
}

func TestParseIsStrict(t *testing.T) {
	for in, want := range map[string]string{
		``:                       "the file is empty: must be an object",
		" \n":                    "the file is empty: must be an object",
		`[]`:                     "the file []: must be an object",
		`{} {}`:                  "the file: something follows the object",
		`{"seed": -1}`:           "seed -1: must be a uint64",
		`{"seed": null}`:         "seed null: must be a uint64",
		`{"seed": 1, "seed": 2}`: "the file: seed: given twice",
		`{"speed": 1}`:           "speed: unknown: must be one of seed, rules",
		`{"rules": {}}`:          "rules {}: must be a list",
		`{"rules": [{"when": {"fist": 1}, "fault": {"kind": "hang"}}]}`:       "rules[0].when.fist: unknown: must be one of skip, first, every, cycle, perConn",
		`{"rules": [{"when": {"after": 20}, "fault": {"kind": "hang"}}]}`:     `rules[0].when.after 20: must be a duration such as "20s"`,
		`{"rules": [{"when": {"after": "20"}, "fault": {"kind": "hang"}}]}`:   `rules[0].when.after "20": must be a duration such as "20s"`,
		`{"rules": [{"fault": {"for": "20s"}}]}`:                              "rules[0].fault.kind: missing: must be one of normal, delay",
		`{"rules": [{"fault": {"kind": "dilay"}}]}`:                           `rules[0].fault.kind "dilay": must be one of normal, delay`,
		`{"rules": [{"fault": {"kind": 7}}]}`:                                 "rules[0].fault.kind 7: must be a string",
		`{"rules": [{"fault": "delay"}]}`:                                     `rules[0].fault "delay": must be an object`,
		`{"rules": [{"fault": {"kind": "delay", "fro": "20s"}}]}`:             "rules[0].fault.fro: unknown: must be one of for, jitter",
		`{"rules": [{"mix": [{"percent": "x", "fault": {"kind": "hang"}}]}]}`: `rules[0].mix[0].percent "x": must be a float64`,
		`{"rules": [{"chance": 0, "fault": {"kind": "hang"}}]}`:               "rules[0].chance 0: leave it out for always, or the rule for never",
	} {
		_, err := fault.Catalogue().Parse([]byte(in))
		if err == nil || !strings.HasPrefix(err.Error(), "faultconn: plan: "+want) {
			t.Errorf("%s\ngot  %v\nwant faultconn: plan: %s", in, err, want)
		}
	}
}

// nested is a plan whose rule has so many faults inside one another.
func nested(faults int) string {
	const on = `{"kind":"on","protocol":"http","fault":`
	return `{"rules":[{"fault":` + strings.Repeat(on, faults-1) + `{"kind":"garbage","text":"\"{[{["}` + strings.Repeat("}", faults-1) + `}]}`
}

// Each level costs a reading of all that is inside it, so they are bounded.
func TestParseBoundsNesting(t *testing.T) {
	all := append(fault.Catalogue(), framing.Catalogue()...)
	if _, err := all.Parse([]byte(nested(97))); err != nil {
		t.Errorf("97 faults inside one another: %v", err)
	}
	const want = "faultconn: plan: nested more than 100 deep: put fewer faults inside one another"
	for _, in := range []string{nested(98), nested(100_000), strings.Repeat("[", 1<<20)} {
		if _, err := all.Parse([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%.100s: got %v", in, err)
		}
	}
}

// Whatever a file holds, Parse returns, and what it accepts comes back the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full().String()))
	f.Add([]byte(`{"rules":[{"fault":{"kind":"fail","with":"reset"}}]}`))
	f.Add([]byte(nested(3)))
	all := append(fault.Catalogue(), framing.Catalogue()...)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := all.Parse(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "faultconn: ") {
				t.Errorf("error without the package's name: %v", err)
			}
			return
		}
		again, err := all.Parse([]byte(p.String()))
		if err != nil || p.String() != again.String() {
			t.Errorf("%s\ncomes back as %s, %v", p, again, err)
		}
		var inj faultconn.Injector
		if err := inj.SetPlan(p); err != nil {
			t.Errorf("parsed, but refused: %v", err)
		}
	})
}

// named has options whose names come from tags.
type named struct {
	HowOften int           `json:"how_often"`
	Pause    time.Duration `json:",omitempty"`
	Hidden   int           `json:"-"`
	cache    int
}

func (named) Kind() string                         { return "named" }
func (named) Inject(faultconn.Op) faultconn.Effect { return faultconn.Effect{} }
func (n named) Validate() error {
	if n.HowOften > 9 {
		return fmt.Errorf("how_often %d: must not exceed 9", n.HowOften)
	}
	return nil
}

type takesKind struct {
	Sort string `json:"kind"`
}

func (takesKind) Kind() string                         { return "takes-kind" }
func (takesKind) Inject(faultconn.Op) faultconn.Effect { return faultconn.Effect{} }

func TestTagsNameOptions(t *testing.T) {
	plan := one(named{HowOften: 3, Pause: time.Second, Hidden: 4, cache: 6})
	const want = `{"rules":[{"name":"r","fault":{"kind":"named","how_often":3,"pause":"1s"}}]}`
	if got := plan.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	catalogue := faultconn.Catalogue{named{}, takesKind{}}
	got, err := catalogue.Parse([]byte(want))
	if back := one(named{HowOften: 3, Pause: time.Second}); err != nil || !reflect.DeepEqual(got, back) {
		t.Errorf("parsed %v, %v, want %v", got, err, back)
	}
	for in, want := range map[string]string{
		`{"kind":"named","howOften":3}`:   "faultconn: plan: rules[0].fault.howOften: unknown: must be one of how_often, pause",
		`{"kind":"named","hidden":3}`:     "faultconn: plan: rules[0].fault.hidden: unknown: must be one of how_often, pause",
		`{"kind":"named","how_often":10}`: `faultconn: rule "rule 1": fault named: how_often 10: must not exceed 9`,
		`{"kind":"takes-kind"}`:           "faultconn: plan: rules[0].fault: field Sort of faultconn_test.takesKind: the name kind is taken",
	} {
		if _, err := catalogue.Parse([]byte(`{"rules":[{"fault":` + in + `}]}`)); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", in, err, want)
		}
	}
}
