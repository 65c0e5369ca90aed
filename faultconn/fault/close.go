package fault

import "github.com/brownout-go/brownout/faultconn"

// Close ends the connection in good order, as if the peer had closed it: reads
// give io.EOF, writes EPIPE, and the real peer sees the end too. It strikes at
// the moments Reset does. With When.From it truncates the stream there.
type Close struct{}

func (Close) Kind() string { return "close" }

func (Close) Inject(op faultconn.Op) faultconn.Effect {
	return faultconn.Effect{Close: breaks(op) && op.Kind != faultconn.OpPeerClose}
}
