package fault_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// op is a first operation of the kind.
func op(k faultconn.OpKind) faultconn.Op {
	return faultconn.Op{Kind: k, First: true, Data: []byte("hello"), Rand: rand.New(rand.NewPCG(1, 2))}
}

func chosen(k faultconn.OpKind) faultconn.Op {
	o := op(k)
	o.Chosen = true
	return o
}

func later(o faultconn.Op) faultconn.Op {
	o.First = false
	return o
}

func served(o faultconn.Op) faultconn.Op {
	o.Server = true
	return o
}

var nothing faultconn.Effect

// Faults are decisions: what each makes of an operation is a comparison.
func TestInject(t *testing.T) {
	delay := faultconn.Effect{Delay: time.Second}
	late := faultconn.Effect{Latency: time.Second}
	struck := later(op(faultconn.OpRead))
	struck.Latency = time.Second
	hang := faultconn.Effect{Hang: true}
	refused := faultconn.Effect{Err: syscall.ECONNREFUSED}
	reset := faultconn.Effect{Reset: true}
	ended := faultconn.Effect{Close: true}
	for _, c := range []struct {
		name  string
		fault faultconn.Fault
		op    faultconn.Op
		want  faultconn.Effect
	}{
		{"normal", fault.Normal{}, op(faultconn.OpRead), nothing},
		{"delay of a read", fault.Delay{For: time.Second}, op(faultconn.OpRead), late},
		{"delay of the reads after it", fault.Delay{For: time.Minute}, struck, late},
		{"delay that was drawn as zero", fault.Delay{For: time.Minute}, later(op(faultconn.OpRead)), nothing},
		{"delay of a write", fault.Delay{For: time.Second}, op(faultconn.OpWrite), nothing},
		{"delay of a write that is chosen", fault.Delay{For: time.Second}, chosen(faultconn.OpWrite), delay},
		{"delay of a dial", fault.Delay{For: time.Second}, op(faultconn.OpDial), nothing},
		{"delay of the end", fault.Delay{For: time.Second}, op(faultconn.OpPeerClose), late},
		{"zero delay", fault.Delay{}, op(faultconn.OpRead), nothing},
		{"hang of a read", fault.Hang{}, later(op(faultconn.OpRead)), hang},
		{"hang of the end", fault.Hang{}, op(faultconn.OpPeerClose), hang},
		{"hang of a write", fault.Hang{}, op(faultconn.OpWrite), nothing},
		{"hang of a dial", fault.Hang{}, chosen(faultconn.OpDial), hang},
		{"blackout of a dial", fault.Blackout{}, op(faultconn.OpDial), refused},
		{"blackout of an accept", fault.Blackout{}, op(faultconn.OpAccept), ended},
		{"blackout of an idle connection", fault.Blackout{}, op(faultconn.OpClock), ended},
		{"blackout of a close", fault.Blackout{}, op(faultconn.OpClose), nothing},
		{"abort of a request", fault.Abort{}, op(faultconn.OpWrite), nothing},
		{"abort of a reply", fault.Abort{}, op(faultconn.OpRead), reset},
		{"abort of a served request", fault.Abort{}, served(op(faultconn.OpRead)), nothing},
		{"abort of a served reply", fault.Abort{}, served(op(faultconn.OpWrite)), reset},
		{"reset", fault.Reset{}, op(faultconn.OpWrite), reset},
		{"reset by the clock", fault.Reset{}, op(faultconn.OpClock), reset},
		{"reset of a dial", fault.Reset{}, op(faultconn.OpDial), nothing},
		{"reset of a dial that is chosen", fault.Reset{}, chosen(faultconn.OpDial), reset},
		{"close", fault.Close{}, op(faultconn.OpRead), ended},
		{"refuse", fault.Refuse{}, op(faultconn.OpDial), refused},
		{"refuse of a read", fault.Refuse{}, op(faultconn.OpRead), nothing},
		{"canned reply", fault.Garbage{Text: "no"}, op(faultconn.OpRead), faultconn.Effect{Replace: true, With: "no"}},
		{"rest of the reply", fault.Garbage{Text: "no"}, later(op(faultconn.OpRead)), faultconn.Effect{Discard: true}},
		{"garbage inside", fault.Garbage{Text: "no", Inside: true}, op(faultconn.OpRead), faultconn.Effect{Bytes: 1, Replace: true, With: "hno"}},
		{"rest after garbage inside", fault.Garbage{Text: "no", Inside: true}, later(op(faultconn.OpRead)), nothing},
		{"garbage for a request", fault.Garbage{}, op(faultconn.OpWrite), nothing},
		{"failure", fault.Fail{With: "reset"}, op(faultconn.OpRead), faultconn.Effect{Err: syscall.ECONNRESET}},
		{"failure once", fault.Fail{With: "reset"}, later(op(faultconn.OpRead)), nothing},
		{"failure of a dial", fault.Fail{With: "reset"}, op(faultconn.OpDial), nothing},
		{"failure of dials only", fault.Fail{With: "refused"}, op(faultconn.OpRead), nothing},
		{"dial failure", fault.Fail{With: "connect-timeout"}, op(faultconn.OpDial), faultconn.Effect{Err: syscall.ETIMEDOUT}},
	} {
		if got := c.fault.Inject(c.op); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestRamp(t *testing.T) {
	up := fault.Delay{For: time.Second, Step: 2 * time.Second, Max: 6 * time.Second}
	saw := up
	saw.Fall = true
	for _, c := range []struct {
		fault fault.Delay
		want  string
	}{
		{up, "[1s 3s 5s 6s 6s 6s 6s 6s]"},
		{saw, "[1s 3s 5s 6s 5s 3s 1s 3s]"},
		{fault.Delay{Step: time.Second, Max: 2 * time.Second, Fall: true}, "[0s 1s 2s 1s 0s 1s 2s 1s]"},
		{fault.Delay{For: time.Second, Step: time.Second, Max: time.Second, Fall: true}, "[1s 1s 1s 1s 1s 1s 1s 1s]"},
	} {
		var got []time.Duration
		for hit := range 8 {
			o := op(faultconn.OpRead)
			o.Hit = hit
			e := c.fault.Inject(o)
			got = append(got, e.Latency)
			if !e.Hit {
				t.Errorf("%+v: hit %d is none, and would not be followed by the next", c.fault, hit)
			}
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %v, want %s", c.fault, got, c.want)
		}
	}
}

func TestGarbageHasItsLengthAndItsSeed(t *testing.T) {
	g := fault.Garbage{Bytes: 16}
	a, b := g.Inject(op(faultconn.OpRead)), g.Inject(op(faultconn.OpRead))
	if len(a.With) != 16 || a != b {
		t.Errorf("%q and %q, want the same 16 bytes", a.With, b.With)
	}
	if n := len(fault.Garbage{}.Inject(op(faultconn.OpRead)).With); n != 1000 {
		t.Errorf("%d bytes, want 1000", n)
	}
}

func TestDNSFailureNamesTheHost(t *testing.T) {
	o := op(faultconn.OpDial)
	o.Addr = "db.example:5432"
	var dns *net.DNSError
	if err := (fault.Fail{With: "no-such-host"}).Inject(o).Err; !errors.As(err, &dns) || dns.Name != "db.example" || !dns.IsNotFound {
		t.Errorf("%#v", err)
	}
}

// Every fault of the catalogue can be put into a plan file and comes back, and
// no kind is used twice.
func TestCatalogue(t *testing.T) {
	kinds := map[string]bool{}
	for _, f := range fault.Catalogue() {
		if kinds[f.Kind()] || f.Kind() == "" || f.Kind() != strings.ToLower(f.Kind()) {
			t.Errorf("kind %q is used twice, empty or not in small letters", f.Kind())
		}
		kinds[f.Kind()] = true
		p := faultconn.Plan{Rules: []faultconn.Rule{{Fault: f}}}
		if p.Validate() != nil {
			continue // needs options; TestInject has some
		}
		got, err := fault.Catalogue().Parse([]byte(p.String()))
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%s comes back as %v, %v", p, got, err)
		}
	}
}

// The table in the package's doc says what each fault strikes.
func TestTableOfOperations(t *testing.T) {
	all := []faultconn.OpKind{
		faultconn.OpDial, faultconn.OpAccept, faultconn.OpRead, faultconn.OpPeerClose,
		faultconn.OpWrite, faultconn.OpCloseWrite, faultconn.OpClose, faultconn.OpClock,
	}
	set := map[string][]faultconn.Fault{ // where the zero value does nothing
		"delay": {fault.Delay{For: 1}}, "bandwidth": {fault.Bandwidth{Rate: 1}}, "mtu": {fault.MTU{Bytes: 1}},
		"fail": {fault.Fail{With: "pipe"}, fault.Fail{With: "refused"}},
	}
	struck := func(f faultconn.Fault) (ops []string) {
		faults := set[f.Kind()]
		if faults == nil {
			faults = []faultconn.Fault{f}
		}
		for _, k := range all {
			o := op(k)
			if k != faultconn.OpRead && k != faultconn.OpWrite {
				o.Data = nil
			}
			if slices.ContainsFunc(faults, func(f faultconn.Fault) bool { return f.Inject(o) != nothing }) {
				ops = append(ops, string(k))
			}
		}
		return ops
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fault.Catalogue() {
		row := regexp.MustCompile(`(?m)^//\t` + f.Kind() + ` +(.*?)  `).FindSubmatch(doc)
		if row == nil {
			t.Errorf("%s is not in the table", f.Kind())
			continue
		}
		text := strings.NewReplacer("reply", "read", "none", "", "packets only", "").Replace(string(row[1])) // a reply is read where one dials
		but, except := strings.CutPrefix(text, "all but ")
		var want []string
		for _, k := range all {
			if slices.Contains(strings.Split(but, ", "), string(k)) != except {
				want = append(want, string(k))
			}
		}
		if got := struck(f); !slices.Equal(got, want) {
			t.Errorf("%s strikes %q, the table says %q", f.Kind(), got, row[1])
		}
	}
}

// The shapes of delays have the parameters that their doc says.
func TestDelayShapes(t *testing.T) {
	const n = 20_000
	at, by := 100*time.Millisecond, 20*time.Millisecond
	for _, c := range []struct {
		delay             fault.Delay
		least, most       time.Duration
		mean, median, p84 time.Duration // 0: not said
	}{
		{fault.Delay{For: at, Jitter: by}, at - by, at + by, at, at, 0},
		{fault.Delay{For: at, Jitter: by, Shape: "normal"}, 0, time.Hour, at, at, at + by},
		{fault.Delay{For: at, Jitter: by, Shape: "lognormal"}, 0, time.Hour, 0, at, at + by},
		{fault.Delay{For: at, Jitter: by, Shape: "pareto"}, at, 1 << 62, at + by, 0, 0},
		{fault.Delay{Table: []time.Duration{at, 2 * at, 6 * at}}, at, 6 * at, 3 * at, 2 * at, 0},
		{fault.Delay{For: at, Jitter: by, Shape: "pareto", Max: 2 * at}, at, 2 * at, 0, 0, 0},
	} {
		if err := c.delay.Validate(); err != nil {
			t.Fatal(err)
		}
		o := op(faultconn.OpRead)
		draws := make([]time.Duration, n)
		var sum time.Duration
		for i := range draws {
			draws[i] = c.delay.Inject(o).Latency
			sum += draws[i]
		}
		slices.Sort(draws)
		if draws[0] < c.least || draws[n-1] > c.most {
			t.Errorf("%+v: within %v and %v, want %v and %v", c.delay, draws[0], draws[n-1], c.least, c.most)
		}
		for _, q := range []struct {
			name      string
			got, want time.Duration
		}{{"mean", sum / n, c.mean}, {"median", draws[n/2], c.median}, {"84th percentile", draws[n*84/100], c.p84}} {
			if q.want > 0 && (q.got < q.want*98/100 || q.got > q.want*102/100) {
				t.Errorf("%+v: %s %v, want %v", c.delay, q.name, q.got, q.want)
			}
		}
	}
}

func TestLossBacksOff(t *testing.T) {
	seen := map[time.Duration]int{}
	o := op(faultconn.OpRead)
	for range 10_000 {
		seen[fault.Loss{Again: 0.5}.Inject(o).Delay]++
	}
	for _, c := range []struct {
		pause time.Duration
		want  int
	}{{200 * time.Millisecond, 5000}, {600 * time.Millisecond, 2500}, {1400 * time.Millisecond, 1250}} {
		if n := seen[c.pause]; n < c.want*9/10 || n > c.want*11/10 {
			t.Errorf("a pause of %v %d times in 10000, want about %d", c.pause, n, c.want)
		}
	}
}
