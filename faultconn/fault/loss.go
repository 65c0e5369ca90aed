package fault

import (
	"fmt"
	"time"

	"github.com/brownout-go/brownout/faultconn"
)

// Loss is a lost packet as TCP shows it to programs: never a hole in the
// stream, but a pause until the packet has been sent again. To lose packets of
// 1460 bytes at a rate of one in a hundred:
//
//	faultconn.Rule{Scope: faultconn.PerByte, Chance: 0.01 / 1460, Fault: fault.Loss{Again: 0.01}}
//
// It strikes data in both directions.
type Loss struct {
	// Timeout is the pause for the first retransmission; 0 means 200 ms, the
	// least that Linux waits. It doubles with each further loss (RFC 6298).
	Timeout time.Duration
	// Again is the chance that a retransmission is lost as well.
	Again float64
}

func (Loss) Kind() string { return "loss" }

// Validate reports settings that make no sense.
func (l Loss) Validate() error {
	if l.Timeout < 0 {
		return fmt.Errorf("timeout %v: must not be negative", l.Timeout)
	}
	if !(l.Again >= 0 && l.Again < 1) {
		return fmt.Errorf("again %v: must be within [0, 1)", l.Again)
	}
	return nil
}

func (l Loss) Inject(op faultconn.Op) faultconn.Effect {
	if !op.First || !carries(op) {
		return faultconn.Effect{}
	}
	const most = 120 * time.Second // TCP_RTO_MAX
	next := l.Timeout
	if next == 0 {
		next = 200 * time.Millisecond
	}
	pause := next
	// Fifteen retransmissions are tcp_retries2, after which TCP gives up.
	for i := 0; i < 15 && op.Rand.Float64() < l.Again; i++ {
		next = min(2*next, most)
		pause += next
	}
	return faultconn.Effect{Delay: pause}
}
