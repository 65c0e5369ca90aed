package fault

import (
	"syscall"

	"github.com/brownout-go/brownout/faultconn"
)

// Blackout is a service that is gone: dials are refused, accepted connections
// closed at once, open ones at their next operation. In a When window, idle
// connections are closed when it begins.
type Blackout struct{}

func (Blackout) Kind() string { return "blackout" }

func (Blackout) Inject(op faultconn.Op) faultconn.Effect {
	switch op.Kind {
	case faultconn.OpDial:
		return faultconn.Effect{Err: syscall.ECONNREFUSED}
	case faultconn.OpClose, faultconn.OpCloseWrite:
		return faultconn.Effect{}
	}
	return faultconn.Effect{Close: true}
}
