package fault

import (
	"fmt"

	"github.com/brownout-go/brownout/faultconn"
)

// Garbage puts random bytes in the place of a reply, or among its bytes: what a
// broken server sends, and a test of what parsers make of it.
//
// It neither fills a reply up to its length nor ends the connection. A reader
// that waits for more bytes than came, say the rest of a Content-Length, waits
// until its deadline. To let it read the end of the stream instead, put a rule
// before this one that closes the connection from the second byte of the reply
// on:
//
//	{Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}, When: faultconn.When{From: 1}, Fault: fault.Close{}},
//	{Fault: fault.Garbage{}},
type Garbage struct {
	// Bytes is how many random bytes; 0 means 1000 in the place of a reply, and
	// 100 inside one.
	Bytes int
	// Inside puts the bytes behind the first byte of the reply, or of what
	// comes after When.From, and lets the rest be.
	Inside bool
	// Text, if set, is used instead of random bytes: a canned reply.
	Text string
}

func (Garbage) Kind() string { return "garbage" }

// Validate reports settings that make no sense.
func (g Garbage) Validate() error {
	if g.Bytes < 0 || g.Bytes > 1<<20 {
		return fmt.Errorf("bytes %d: must be within [0, %d]", g.Bytes, 1<<20)
	}
	return nil
}

func (g Garbage) Inject(op faultconn.Op) faultconn.Effect {
	switch {
	case !op.Reply() || len(op.Data) == 0:
		return faultconn.Effect{}
	case !op.First && g.Inside:
		return faultconn.Effect{}
	case !op.First:
		return faultconn.Effect{Discard: true} // the rest of the reply
	}
	if !g.Inside {
		return faultconn.Effect{Replace: true, With: g.text(op, 1000)}
	}
	return faultconn.Effect{Bytes: 1, Replace: true, With: string(op.Data[:1]) + g.text(op, 100)}
}

func (g Garbage) text(op faultconn.Op, n int) string {
	if g.Text != "" {
		return g.Text
	}
	if g.Bytes > 0 {
		n = g.Bytes
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(op.Rand.Uint32())
	}
	return string(b)
}
