package fault

import (
	"fmt"

	"github.com/brownout-go/brownout/faultconn"
)

// MTU loses packets that are longer than Bytes, without a word: a tunnel whose
// messages about it are filtered. It strikes packets only, not streams.
type MTU struct {
	Bytes int // must be set; 1472 is what fits into Ethernet's 1500 over IPv4 and UDP
}

func (MTU) Kind() string { return "mtu" }

// Validate reports a size that is none.
func (m MTU) Validate() error {
	if m.Bytes <= 0 {
		return fmt.Errorf("bytes %d: must be positive", m.Bytes)
	}
	return nil
}

func (m MTU) Inject(op faultconn.Op) faultconn.Effect {
	return faultconn.Effect{Discard: op.Packet > m.Bytes}
}
