package faultconn

import (
	"fmt"
	"strings"
	"time"
)

// Event tells of one fault that struck. A fault that lasts for a unit of its
// rule's Scope (an exchange that hangs) is one event.
type Event struct {
	Time  time.Time
	Seed  uint64 // of the plan
	Rule  string
	Kind  string // of the fault
	Point string
	Conn  int // number of the connection within its point, from 1
	Op    OpKind
	// Offset is the place in the stream of this direction, counted from where
	// the rule found the connection; Exchange the number of the exchange,
	// likewise. For a rule that came with [Injector.Update] that is later than
	// for the others.
	Offset   int64
	Exchange int
	Hit      int           // how often the rule had struck before
	Delay    time.Duration // how long the operation is held, as far as that is known
	Peer     string        // address of the other side; "" when there is none
	Client   string        // address of whom a proxy has dialled for; "" elsewhere
}

// Direction is "in" for what comes from the peer, "out" for what goes to it.
func (e Event) Direction() string {
	if e.Op.outbound() {
		return "out"
	}
	return "in"
}

// String is one line for a log.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s on %s %d, %s", e.Rule, e.Kind, e.Point, e.Conn, e.Op)
	if e.Op == OpRead || e.Op == OpWrite {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	if e.Exchange > 0 {
		fmt.Fprintf(&b, " of exchange %d", e.Exchange)
	}
	if e.Delay > 0 {
		fmt.Fprintf(&b, ", %v", e.Delay)
	}
	fmt.Fprintf(&b, " (seed %d)", e.Seed)
	return b.String()
}

func (k OpKind) outbound() bool {
	switch k {
	case OpDial, OpWrite, OpCloseWrite, OpClose:
		return true
	}
	return false
}

// data reports whether operations of the kind carry bytes.
func (k OpKind) data() bool { return k == OpRead || k == OpWrite }
