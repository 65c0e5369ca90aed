package fault

import (
	"fmt"

	"github.com/brownout-go/brownout/faultconn"
)

// Bandwidth lets data pass at a rate, in each direction. The rate is kept
// within a percent or so over seconds; data pass in portions of ten
// milliseconds. A connection that has been idle starts with a burst of at most
// a tenth of a second.
type Bandwidth struct {
	// Rate is in bytes a second; it must be set.
	Rate int64
	// Shared makes all connections under the rule share the rate, and both
	// directions of each; otherwise each direction has it for itself.
	Shared bool
}

func (Bandwidth) Kind() string { return "bandwidth" }

// Validate reports a rate that is none.
func (b Bandwidth) Validate() error {
	if b.Rate <= 0 {
		return fmt.Errorf("rate %d: must be positive, in bytes a second", b.Rate)
	}
	return nil
}

func (b Bandwidth) Inject(op faultconn.Op) faultconn.Effect {
	if !carries(op) {
		return faultconn.Effect{}
	}
	return faultconn.Effect{Rate: b.Rate, Shared: b.Shared}
}

// carries says whether the operation carries data.
func carries(op faultconn.Op) bool {
	return op.Kind == faultconn.OpRead || op.Kind == faultconn.OpWrite
}
