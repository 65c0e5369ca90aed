package fault

import (
	"fmt"
	"io"

	"github.com/brownout-go/brownout/faultconn"
)

// ShortWrite makes a Write stop part of the way with an error: the bytes before
// have gone out. Code that then writes all of it again corrupts its stream.
// (For short reads use Slice.)
type ShortWrite struct {
	Bytes int // how many bytes go out; 0 means half, rounded down
}

func (ShortWrite) Kind() string { return "short-write" }

// Validate reports a negative number.
func (s ShortWrite) Validate() error {
	if s.Bytes < 0 {
		return fmt.Errorf("bytes %d: must not be negative", s.Bytes)
	}
	return nil
}

func (s ShortWrite) Inject(op faultconn.Op) faultconn.Effect {
	if !op.First || op.Kind != faultconn.OpWrite {
		return faultconn.Effect{}
	}
	n := s.Bytes
	if n == 0 {
		n = len(op.Data) / 2
	}
	if n >= len(op.Data) {
		return faultconn.Effect{} // it would not be short
	}
	return faultconn.Effect{Bytes: n, Err: io.ErrShortWrite}
}
