package fault

import (
	"syscall"

	"github.com/brownout-go/brownout/faultconn"
)

// Refuse makes dials fail with ECONNREFUSED: nobody listens there.
type Refuse struct{}

func (Refuse) Kind() string { return "refuse" }

func (Refuse) Inject(op faultconn.Op) faultconn.Effect {
	if op.Kind != faultconn.OpDial {
		return faultconn.Effect{}
	}
	return faultconn.Effect{Err: syscall.ECONNREFUSED}
}
