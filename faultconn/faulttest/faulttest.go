// Package faulttest puts plans in force for the length of a test and fails the
// test if they did not do what it is about.
//
//	func TestSlowCache(t *testing.T) {
//		var inj faultconn.Injector
//		client := cache.New(inj.Dialer("memcached", nil))
//		faulttest.Inject(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{
//			{Name: "slow", Fault: fault.Delay{For: 20 * time.Second}},
//		}})
//		...
//	} // fails if "slow" never struck; logs the seed if the test has failed
//
// It does not import package testing, so that code under test which imports it
// by accident carries no test flags.
package faulttest

import (
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// TB is what is needed of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// SeedVariable is the environment variable whose value, an unsigned number,
// takes the place of the seed of every plan given to this package.
const SeedVariable = "FAULTCONN_SEED"

// Inject puts a plan in force until the test ends, and then the one before it.
//
// A rule that has not struck by then fails the test, unless that has been
// skipped: it would have passed without the rule. If the test has failed, its log tells the seed. A plan that
// is not valid, and a [SeedVariable] that is not a number, end the test.
//
// Plans of nested calls replace one another; they do not add up.
func Inject(t TB, inj *faultconn.Injector, p faultconn.Plan) {
	t.Helper()
	if s := os.Getenv(SeedVariable); s != "" {
		seed, err := strconv.ParseUint(s, 0, 64)
		if err != nil {
			t.Fatalf("faulttest: %s=%s: must be an unsigned number", SeedVariable, s)
		}
		p.Seed = seed
	}
	undo, err := inj.With(p)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		s, ok := t.(interface{ Skipped() bool })
		skipped := ok && s.Skipped()
		if missed := inj.Unfired(); len(missed) > 0 && !skipped {
			t.Errorf("faulttest: these rules never struck, so that the test has not tested them: %s", strings.Join(missed, ", "))
		}
		if t.Failed() {
			t.Logf("faulttest: the seed was %d; %s=%d runs all plans with it", p.Seed, SeedVariable, p.Seed)
		}
		undo()
	})
}

// Pair returns the two ends of a connection in memory with a plan between them,
// as [Inject] puts it in force. Both ends close with the test. The client's end
// is the wrapped one, at the point "pair": what it reads are replies, what it
// writes are requests.
func Pair(t TB, p faultconn.Plan) (client, server net.Conn) {
	t.Helper()
	inj := new(faultconn.Injector)
	Inject(t, inj, p)
	a, b := memnet.Pipe()
	c := inj.Conn("pair", a)
	t.Cleanup(func() {
		c.Close()
		b.Close()
	})
	return c, b
}
