package faulttest_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/faulttest"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var _ faulttest.TB = (testing.TB)(nil)

// A fault of twenty seconds, which costs the test none.
func TestPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := faulttest.Pair(t, faultconn.Plan{Rules: []faultconn.Rule{{Fault: fault.Delay{For: 20 * time.Second}}}})
		go io.WriteString(server, "hello")
		start := time.Now()
		client.SetReadDeadline(start.Add(time.Second))
		if _, err := client.Read(make([]byte, 5)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		client.SetReadDeadline(time.Time{})
		b := make([]byte, 5)
		if _, err := io.ReadFull(client, b); string(b) != "hello" || time.Since(start) != 20*time.Second {
			t.Errorf("%q, %v after %v", b, err, time.Since(start))
		}
	})
}

// fake is a test whose end can be watched.
type fake struct {
	cleanups []func()
	said     []string
	failed   bool
}

func (f *fake) Helper()                 {}
func (f *fake) Cleanup(c func())        { f.cleanups = append(f.cleanups, c) }
func (f *fake) Failed() bool            { return f.failed }
func (f *fake) Logf(s string, a ...any) { f.said = append(f.said, fmt.Sprintf(s, a...)) }
func (f *fake) Errorf(s string, a ...any) {
	f.failed = true
	f.Logf(s, a...)
}
func (f *fake) Fatalf(s string, a ...any) {
	f.Errorf(s, a...)
	panic(f)
}

// run is what testing does around a test.
func (f *fake) run(test func(t faulttest.TB)) {
	defer func() {
		if r := recover(); r != nil && r != f {
			panic(r)
		}
		for i := len(f.cleanups) - 1; i >= 0; i-- {
			f.cleanups[i]()
		}
	}()
	test(f)
}

func delay() faultconn.Plan {
	return faultconn.Plan{Seed: 7, Rules: []faultconn.Rule{{Name: "slow", Fault: fault.Delay{For: 1}}}}
}

// skipped is a fake that finds out that it cannot run.
type skipped struct{ fake }

func (*skipped) Skipped() bool { return true }

func TestSkippedTestDoesNotFail(t *testing.T) {
	f := &skipped{}
	f.run(func(faulttest.TB) { faulttest.Inject(f, &faultconn.Injector{}, delay()) })
	if f.failed {
		t.Errorf("a test that is skipped fails: %q", f.said)
	}
}

func TestRuleThatNeverStruckFails(t *testing.T) {
	var f fake
	f.run(func(t faulttest.TB) { faulttest.Pair(t, delay()) })
	all := strings.Join(f.said, "\n")
	if !f.failed || !strings.Contains(all, "never struck") || !strings.Contains(all, "slow") || !strings.Contains(all, "FAULTCONN_SEED=7") {
		t.Errorf("failed: %v, said %q", f.failed, all)
	}
}

func TestRuleThatStruckIsQuiet(t *testing.T) {
	var f fake
	f.run(func(t faulttest.TB) {
		client, server := faulttest.Pair(t, delay())
		go io.WriteString(server, "x")
		client.Read(make([]byte, 1))
	})
	if f.failed || len(f.said) > 0 {
		t.Errorf("failed: %v, said %q", f.failed, f.said)
	}
}

func TestPlanEndsWithTheTest(t *testing.T) {
	var inj faultconn.Injector
	outer := faultconn.Plan{Rules: []faultconn.Rule{{Name: "outer", Fault: fault.Hang{}}}}
	if err := inj.SetPlan(outer); err != nil {
		t.Fatal(err)
	}
	new(fake).run(func(t faulttest.TB) { faulttest.Inject(t, &inj, delay()) })
	if got := inj.Plan(); !reflect.DeepEqual(got, outer) {
		t.Errorf("the plan is %v, want %v", got, outer)
	}
}

// What a plan has struck is not forgotten over another in between.
func TestNestedPlans(t *testing.T) {
	var f fake
	f.run(func(t faulttest.TB) {
		var inj faultconn.Injector
		faulttest.Inject(t, &inj, delay())
		exchange(&inj)
		var nested fake
		nested.run(func(t faulttest.TB) {
			faulttest.Inject(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Fault: fault.Slice{}}}})
			exchange(&inj)
		})
		if nested.failed {
			t.Errorf("nested: %q", nested.said)
		}
	})
	if f.failed {
		t.Errorf("said %q", f.said)
	}
}

// exchange runs data through a connection.
func exchange(inj *faultconn.Injector) {
	a, server := memnet.Pipe()
	client := inj.Conn("db", a)
	go io.WriteString(server, "x")
	client.Read(make([]byte, 1))
	client.Close()
	server.Close()
}

func TestBadPlanEndsTheTest(t *testing.T) {
	var f fake
	f.run(func(faulttest.TB) {
		faulttest.Inject(&f, new(faultconn.Injector), faultconn.Plan{Rules: []faultconn.Rule{{Name: "x"}}})
		t.Error("went on")
	})
	if !f.failed || !strings.Contains(f.said[0], `rule "x": fault: missing`) {
		t.Errorf("said %q", f.said)
	}
}

func TestSeedFromTheEnvironment(t *testing.T) {
	t.Setenv(faulttest.SeedVariable, "0x2a")
	var inj faultconn.Injector
	var f fake
	f.run(func(ft faulttest.TB) {
		faulttest.Inject(ft, &inj, delay())
		if seed := inj.Plan().Seed; seed != 42 {
			t.Errorf("seed %d, want 42", seed)
		}
	})
	t.Setenv(faulttest.SeedVariable, "lucky")
	f = fake{}
	f.run(func(ft faulttest.TB) { faulttest.Inject(ft, &inj, delay()) })
	if !f.failed || !strings.Contains(f.said[0], "FAULTCONN_SEED=lucky: must be an unsigned number") {
		t.Errorf("said %q", f.said)
	}
}
