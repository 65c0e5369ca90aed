package fault

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/brownout-go/brownout/faultconn"
)

// Delay makes data late. By default that is what is read, and the end of the
// stream: every byte can be read so much later than it has arrived, as over a
// long line or from a slow server. How late is drawn once an exchange, so that a
// request and its reply take that much longer. A server that sends without being
// asked is late at each message, and its messages come in the intervals in which
// it sends them.
//
// A stream begins late and is no slower: of one that brings more than 256 KiB
// within the delay, what is behind those comes without any, until the stream
// pauses for as long or the next exchange begins. What arrives while nobody reads
// counts from when somebody does, unless data before it are late.
//
// With Scope operation, how late is drawn anew for each Read that finds data, and
// none come without: a stream brings no more than some 256 to 512 KiB in each
// delay. With Scope byte and a Chance the same goes for each byte that is struck.
//
// With Select.Ops it holds the operations named there instead: a slow dial, a
// slow accept, a slow close, a write that blocks, once an exchange. For a Write
// that is held beyond its deadline, the hold goes on into the next Write.
type Delay struct {
	// For is how long. The zero Delay does nothing, and never hits. Where
	// Jitter, Table or Step are set, a delay that comes out as zero is a hit
	// like any other.
	For time.Duration
	// Jitter spreads the delay, in the Shape given. It is drawn anew for each
	// hit.
	Jitter time.Duration
	// Shape is how Jitter spreads:
	//   - "" evenly over For-Jitter to For+Jitter;
	//   - "normal" with mean For and standard deviation Jitter;
	//   - "lognormal" with median For, and 84 % of the delays below For+Jitter:
	//     what networks and databases look like;
	//   - "pareto" with least value For and mean For+Jitter: a heavy tail.
	// No delay is negative.
	Shape string
	// Table, if set, is drawn from evenly: delays you have measured. It takes
	// the place of For and Jitter.
	Table []time.Duration
	// Step makes the delay grow: it is For at the first hit of the rule, which
	// may be zero, and Step more at each further one, until it reaches Max,
	// which must be set. With When.PerConn each connection has a ramp of its
	// own.
	Step time.Duration
	// Max bounds the delay; 0 means no bound, where there is no Step.
	Max time.Duration
	// Fall lets the delay shrink by Step again once it has reached Max, down to
	// For, and so on up and down.
	Fall bool
}

func (Delay) Kind() string { return "delay" }

// Validate reports settings that make no sense.
func (d Delay) Validate() error {
	switch {
	case d.For < 0 || d.Jitter < 0 || d.Step < 0 || d.Max < 0 || slices.ContainsFunc(d.Table, func(t time.Duration) bool { return t < 0 }):
		return fmt.Errorf("for, jitter, table, step, max: must not be negative")
	case d.Step > 0 && d.Max == 0:
		return fmt.Errorf("max: missing: step %v needs a bound", d.Step)
	case d.Step > 0 && d.Max < d.For:
		return fmt.Errorf("max %v: must be at least for, which is %v, when step is set", d.Max, d.For)
	case d.Step == 0 && d.Fall:
		return fmt.Errorf("fall: set without step")
	case len(d.Table) > 0 && (d.For > 0 || d.Jitter > 0 || d.Step > 0):
		return fmt.Errorf("table: set together with for, jitter or step")
	case !slices.Contains([]string{"", "normal", "lognormal", "pareto"}, d.Shape):
		return fmt.Errorf("shape %q: must be normal, lognormal or pareto, or left out", d.Shape)
	case d.Shape != "" && (d.For == 0 || d.Jitter == 0):
		return fmt.Errorf("shape %q: needs for and jitter", d.Shape)
	}
	return nil
}

func (d Delay) Inject(op faultconn.Op) faultconn.Effect {
	incoming := op.Kind == faultconn.OpRead || op.Kind == faultconn.OpPeerClose
	switch {
	case !incoming && !op.Chosen:
		return faultconn.Effect{}
	case !op.First && incoming:
		return faultconn.Effect{Latency: op.Latency}
	case !op.First:
		return faultconn.Effect{}
	}
	t := d.spread(d.ramp(op.Hit), op.Rand)
	if d.Max > 0 {
		t = min(t, d.Max)
	}
	// Draws and ramps go on from what has been struck, so that zero counts too.
	varies := d.Jitter > 0 || d.Step > 0 || len(d.Table) > 0
	e := faultconn.Effect{Hit: varies}
	if incoming {
		e.Latency = max(t, 0)
	} else {
		e.Delay = max(t, 0)
	}
	return e
}

func (d Delay) spread(t time.Duration, r *rand.Rand) time.Duration {
	if len(d.Table) > 0 {
		return d.Table[r.IntN(len(d.Table))]
	}
	if d.Jitter <= 0 {
		return t
	}
	at, by := float64(t), float64(d.Jitter)
	switch d.Shape {
	case "normal":
		at += by * r.NormFloat64()
	case "lognormal":
		at *= math.Exp(math.Log1p(by/at) * r.NormFloat64())
	case "pareto":
		// The mean of alpha*x/(alpha-1) is x+by for this alpha.
		at *= math.Pow(1-r.Float64(), -1/(1+at/by))
	default:
		at += by * (2*r.Float64() - 1)
	}
	return time.Duration(min(at, float64(longest)))
}

// longest keeps a heavy tail within what a time.Duration can hold.
const longest = 365 * 24 * time.Hour

// ramp is the delay of the n-th hit, counted from 0.
func (d Delay) ramp(n int) time.Duration {
	if d.Step <= 0 {
		return d.For
	}
	steps := int((d.Max - d.For + d.Step - 1) / d.Step) // to reach Max, the last one maybe short
	if d.Fall && steps > 0 {
		if n %= 2 * steps; n > steps {
			n = 2*steps - n
		}
	}
	if n >= steps {
		return d.Max
	}
	return d.For + time.Duration(n)*d.Step
}
