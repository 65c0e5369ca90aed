package transcript

import (
	"time"

	"github.com/brownout-go/brownout/faultconn"
)

// Kind is what an Entry tells of.
type Kind string

// The kinds of entries.
const (
	Open   Kind = "open"    // a connection was opened or accepted
	Failed Kind = "failed"  // a dial failed: Err
	Out    Kind = "out"     // this side writes Data; an Error follows if not all of them go out
	In     Kind = "in"      // this side has read Data
	EndOut Kind = "end-out" // this side has ended its stream
	EndIn  Kind = "end-in"  // the peer has ended its stream
	Error  Kind = "error"   // a read or write failed: Err
	Fault  Kind = "fault"   // a fault struck: Event
	Close  Kind = "close"   // this side has closed
)

// Entry is one line of a log, or several if its data have several.
type Entry struct {
	Time  time.Time // of In and Out, when the last of Data came
	Point string    // the name the connection was wrapped under
	Conn  int       // its number within the point, from 1
	Kind  Kind
	// Peer is the address of the other side: of Open, Failed and Close.
	Peer string
	// Server says that the connection was accepted, not dialled.
	Server bool
	// Offset is where Data begin in their direction.
	Offset int64
	// Data are what was read or written, after Mask and Redact, as far as Log
	// shows it. Size is how many bytes there were.
	Data []byte
	Size int
	// Err is what failed: of Failed and Error.
	Err error
	// Event is the fault, of Fault.
	Event faultconn.Event
	// Open, Written and Read sum the connection up: of Close.
	Open          time.Duration
	Written, Read int64
}
