package proxy

import (
	"fmt"
	"time"
)

// Direction is one of the two ways through the proxy.
type Direction string

const (
	// Up is from the client to the upstream: requests.
	Up Direction = "up"
	// Down is from the upstream to the client: replies.
	Down Direction = "down"
)

// State is how far a connection has come.
type State string

const (
	Dialing        State = "dialing"         // the upstream is being dialled
	Open           State = "open"            // both directions are open
	ClientClosed   State = "client-closed"   // the client has sent a FIN and can still receive
	UpstreamClosed State = "upstream-closed" // the upstream has
	Ended          State = "ended"
)

// Info is what is known of a connection at one moment.
type Info struct {
	ID       uint64 // within the proxy, from 1, in the order of Accept
	Client   string // address of the client
	Upstream string // address of the upstream, as dialled
	State    State
	Opened   time.Time // when it was accepted
	Active   time.Time // when bytes last passed; Opened if none have
	// Bytes that have passed, as of now and not only once the connection ends.
	Up, Down int64
	// Faults is how many have struck it: those of an Injector whose Dialer is
	// Proxy.Dial, or is called by it with the context it is given.
	Faults int64
	// Whether Hold is in force.
	HeldUp, HeldDown bool
}

// String is the connection in one line, its age left out.
func (i Info) String() string {
	more := ""
	switch {
	case i.HeldUp && i.HeldDown:
		more = ", held"
	case i.HeldUp:
		more = ", held up"
	case i.HeldDown:
		more = ", held down"
	}
	if i.Faults > 0 {
		more += fmt.Sprintf(", faults: %d", i.Faults)
	}
	return fmt.Sprintf("#%d %s -> %s (%s%s, %d bytes up, %d down)", i.ID, i.Client, i.Upstream, i.State, more, i.Up, i.Down)
}
