package fault

import (
	"fmt"
	"time"

	"github.com/brownout-go/brownout/faultconn"
)

// Delay makes data late. By default it holds what is read, once an exchange:
// the reply of a slow server, or the request of a slow client. With Select.Ops
// it holds the operations named there instead: a slow dial, a slow accept, a
// slow close, a write that blocks.
//
// A bulk stream is delayed once, then flows at full speed. For a Write that is
// held beyond its deadline, the hold goes on into the next Write.
type Delay struct {
	// For is how long. The zero Delay does nothing.
	For time.Duration
	// Jitter spreads the delay evenly over For-Jitter to For+Jitter, never
	// below zero.
	Jitter time.Duration
	// Step makes the delay grow: it is For at the first hit of the rule, and
	// Step more at each further one, until it reaches Max. With When.PerConn
	// each connection has a ramp of its own.
	Step time.Duration
	Max  time.Duration
	// Fall lets the delay shrink by Step again once it has reached Max, down to
	// For, and so on up and down.
	Fall bool
}

func (Delay) Kind() string { return "delay" }

// Validate reports settings that make no sense.
func (d Delay) Validate() error {
	switch {
	case d.For < 0 || d.Jitter < 0 || d.Step < 0 || d.Max < 0:
		return fmt.Errorf("for, jitter, step, max: must not be negative")
	case d.Step > 0 && d.Max < d.For:
		return fmt.Errorf("max %v: must be at least for, which is %v, when step is set", d.Max, d.For)
	case d.Step == 0 && (d.Max > 0 || d.Fall):
		return fmt.Errorf("step: missing: max and fall need it")
	}
	return nil
}

func (d Delay) Inject(op faultconn.Op) faultconn.Effect {
	if !op.First || op.Kind != faultconn.OpRead && !op.Chosen {
		return faultconn.Effect{}
	}
	t := d.ramp(op.Hit)
	if d.Jitter > 0 {
		t += time.Duration(op.Rand.Int64N(int64(2*d.Jitter)+1)) - d.Jitter
	}
	return faultconn.Effect{Delay: max(t, 0)}
}

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
