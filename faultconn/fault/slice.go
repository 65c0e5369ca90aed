package fault

import (
	"fmt"
	"time"

	"github.com/brownout-go/brownout/faultconn"
)

// Slice cuts the stream into small pieces: a Read returns no more than one of
// them, a Write hands them on one at a time. It finds code that takes a message
// to be what one Read returns. With Gap, the pieces trickle.
//
// Whether written pieces arrive as such is up to the network: the kernel may
// join them.
type Slice struct {
	// Size is how many bytes a piece has; 0 means 1. Without Vary, pieces end
	// at multiples of Size in the stream, whatever arrives at once.
	Size int
	// Vary spreads the size evenly over Size-Vary to Size+Vary, at least 1.
	Vary int
	// Gap is a pause before each piece.
	Gap time.Duration
}

func (Slice) Kind() string { return "slice" }

// Validate reports settings that make no sense.
func (s Slice) Validate() error {
	if s.Size < 0 || s.Vary < 0 || s.Gap < 0 {
		return fmt.Errorf("size, vary, gap: must not be negative")
	}
	return nil
}

func (s Slice) Inject(op faultconn.Op) faultconn.Effect {
	if !carries(op) {
		return faultconn.Effect{}
	}
	size := max(s.Size, 1)
	if s.Vary > 0 {
		size = max(1, size-s.Vary+op.Rand.IntN(2*s.Vary+1))
	} else {
		size -= int(op.Offset % int64(size))
	}
	return faultconn.Effect{Hit: true, Bytes: size, Delay: s.Gap}
}
