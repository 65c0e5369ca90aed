package fault

import "github.com/brownout-go/brownout/faultconn"

// BlackHole loses what it strikes, and nobody is told: dials hang, written data
// and the local end of stream vanish, what the peer sends never arrives. With
// Select.Ops it works one way: OpWrite loses requests, OpRead replies. With
// OpCloseWrite, OpClose and OpPeerClose only the end of the stream is lost: a
// half-open connection.
//
// A connection that is closed into a black hole stays open for its peer until
// there is a plan without the rule.
type BlackHole struct{}

func (BlackHole) Kind() string { return "black-hole" }

func (BlackHole) Inject(op faultconn.Op) faultconn.Effect {
	switch op.Kind {
	case faultconn.OpDial:
		return faultconn.Effect{Hang: true}
	case faultconn.OpClock:
		return faultconn.Effect{}
	}
	return faultconn.Effect{Discard: true}
}
