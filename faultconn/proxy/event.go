package proxy

import (
	"fmt"
	"time"
)

// EventKind is what an [Event] tells of.
type EventKind string

const (
	// Opened says that the upstream has been dialled for a connection.
	Opened EventKind = "opened"
	// DialFailed says that it could not be, and that the client was reset.
	DialFailed EventKind = "dial-failed"
	// Closed says that a connection has ended, both ways, without an error.
	Closed EventKind = "closed"
	// Broken says that a connection has ended with an error or an RST, or that
	// its client left while the upstream was being dialled.
	Broken EventKind = "broken"
	// AcceptFailed says that Accept failed and is tried again.
	AcceptFailed EventKind = "accept-failed"
	// Stuck says that Close has been waiting for a connection for five seconds:
	// its Dial does not heed its context or its Close does not return.
	Stuck EventKind = "stuck"
)

// Event is something that happened to a proxy.
type Event struct {
	Time  time.Time
	Proxy string // Proxy.Name
	Kind  EventKind
	Conn  Info  // the connection; zero for AcceptFailed
	Err   error // why, for all kinds of failure
}

// String is one line for a log.
func (e Event) String() string {
	s := string(e.Kind)
	if e.Proxy != "" {
		s = e.Proxy + ": " + s
	}
	if e.Conn.ID != 0 {
		s += " " + e.Conn.String()
	}
	if e.Err != nil {
		s = fmt.Sprintf("%s: %v", s, e.Err)
	}
	return s
}
