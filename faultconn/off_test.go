package faultconn_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// A rule that is off strikes nothing, and the others as if it were not there:
// their names by position and their draws are those they had.
func TestOff(t *testing.T) {
	sent := bytes.Repeat([]byte("."), 5000)
	run := func(off bool) string {
		return string(throughReads(t, faultconn.Plan{Seed: 3, Rules: []faultconn.Rule{
			{Select: reads, Fault: fault.Corrupt{}, Scope: faultconn.PerByte, Chance: 0.1, Off: true},
			{Scope: faultconn.PerByte, Chance: 0.001, Fault: flip{}, Off: off},
		}}, sent, rand.New(rand.NewPCG(1, 1))))
	}
	if got := run(true); got != string(sent) {
		t.Errorf("with all rules off: faults at %v", marks([]byte(got)))
	}
	alone := throughReads(t, faultconn.Plan{Seed: 3, Rules: []faultconn.Rule{
		{Name: "rule 2", Scope: faultconn.PerByte, Chance: 0.001, Fault: flip{}},
	}}, sent, rand.New(rand.NewPCG(1, 1)))
	if got := run(false); got != string(alone) || got == string(sent) {
		t.Errorf("beside a rule that is off: faults at %v, want %v", marks([]byte(got)), marks(alone))
	}

	plan, err := fault.Catalogue().Parse([]byte(`{"rules":[{"name":"a","fault":{"kind":"reset"}},{"name":"b","fault":{"kind":"hang"},"off":true}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var inj faultconn.Injector
	if err := inj.SetPlan(plan); err != nil {
		t.Fatal(err)
	}
	if got := inj.Unfired(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("unfired: %q", got)
	}
	if got := inj.Plan().String(); got != `{"rules":[{"name":"a","fault":{"kind":"reset"}},{"name":"b","fault":{"kind":"hang"},"off":true}]}` {
		t.Errorf("the plan is now %s", got)
	}
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{Off: true}}}); err == nil {
		t.Error("a rule without a fault is valid when it is off")
	}
}
