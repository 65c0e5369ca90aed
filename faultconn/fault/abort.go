package fault

import "github.com/brownout-go/brownout/faultconn"

// Abort lets the request through and resets the connection where the reply
// would be: the worst moment, since nobody knows whether the request has taken
// effect.
type Abort struct{}

func (Abort) Kind() string { return "abort" }

func (Abort) Inject(op faultconn.Op) faultconn.Effect {
	return faultconn.Effect{Reset: op.Reply()}
}
