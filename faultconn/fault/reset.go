package fault

import "github.com/brownout-go/brownout/faultconn"

// Reset breaks the connection with a RST at the next read or write, after
// exactly When.From bytes, or by the clock on an idle connection
// (When.After, When.Age, or Select.Ops with OpClock for at once).
type Reset struct{}

func (Reset) Kind() string { return "reset" }

func (Reset) Inject(op faultconn.Op) faultconn.Effect {
	return faultconn.Effect{Reset: breaks(op)}
}

// breaks says whether the operation is one at which connections break when the
// rule names none.
func breaks(op faultconn.Op) bool {
	switch op.Kind {
	case faultconn.OpRead, faultconn.OpWrite, faultconn.OpPeerClose, faultconn.OpClock:
		return true
	}
	return op.Chosen
}
