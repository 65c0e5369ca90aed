package fault

import "github.com/brownout-go/brownout/faultconn"

// Hang lets requests go out and holds what comes back until the deadline, Close
// or a plan without the rule: a server that is up and does not answer. With
// Select.Ops it holds the operations named there instead: a dial into a black
// hole, a write into a full window.
type Hang struct{}

func (Hang) Kind() string { return "hang" }

func (Hang) Inject(op faultconn.Op) faultconn.Effect {
	switch op.Kind {
	case faultconn.OpRead, faultconn.OpPeerClose:
		return faultconn.Effect{Hang: true}
	}
	return faultconn.Effect{Hang: op.Chosen}
}
