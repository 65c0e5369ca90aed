package fault

import (
	"fmt"

	"github.com/brownout-go/brownout/faultconn"
)

// Duplicate repeats data, in both directions. TCP never does this; proxies that
// retry, and programs that write again after an error, do. On a PacketConn it
// repeats packets, which networks do all the time.
type Duplicate struct {
	Bytes int // how many bytes are repeated; 0 means what is read or written at once
}

func (Duplicate) Kind() string { return "duplicate" }

// Validate reports a negative number.
func (d Duplicate) Validate() error {
	if d.Bytes < 0 {
		return fmt.Errorf("bytes %d: must not be negative", d.Bytes)
	}
	return nil
}

func (d Duplicate) Inject(op faultconn.Op) faultconn.Effect {
	if !op.First || len(op.Data) == 0 {
		return faultconn.Effect{}
	}
	if op.Packet > 0 {
		return faultconn.Effect{Copies: 1}
	}
	n := len(op.Data)
	if d.Bytes > 0 {
		n = min(n, d.Bytes)
	}
	data := string(op.Data[:n])
	return faultconn.Effect{Bytes: n, Replace: true, With: data + data}
}
