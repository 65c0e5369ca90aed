package fault

import (
	"fmt"

	"github.com/brownout-go/brownout/faultconn"
)

// Corrupt flips bits of one byte: the first of the exchange, the one at
// When.From, or with Scope PerByte any. It strikes data in both directions.
// Checksums let little of this through in real networks; broken memory and
// middleboxes do the rest.
type Corrupt struct {
	Bits int // how many different bits of the byte to flip; 0 means 1
}

func (Corrupt) Kind() string { return "corrupt" }

// Validate reports a number of bits no byte has.
func (c Corrupt) Validate() error {
	if c.Bits < 0 || c.Bits > 8 {
		return fmt.Errorf("bits %d: must be within [0, 8]", c.Bits)
	}
	return nil
}

func (c Corrupt) Inject(op faultconn.Op) faultconn.Effect {
	if !op.First || len(op.Data) == 0 {
		return faultconn.Effect{}
	}
	b := op.Data[0]
	for _, bit := range op.Rand.Perm(8)[:max(c.Bits, 1)] {
		b ^= 1 << bit
	}
	return faultconn.Effect{Bytes: 1, Replace: true, With: string([]byte{b})}
}
