package memnet

import (
	"sync"
	"time"
)

// inFlight is how much a link with a latency and no bandwidth limit holds, as
// much as Linux lets a TCP socket have unacknowledged (tcp_wmem).
const inFlight = 4 << 20

// segment is the least number of bytes that a bandwidth limit lets arrive
// together: an Ethernet frame's worth of TCP.
const segment = 1460

// Link is what the way from one host to another is like. The zero Link is
// instant and unlimited.
type Link struct {
	// Latency is how long bytes are on their way. Writers do not wait for it,
	// and what they write in the meantime follows at the same distance.
	// Opening a connection takes a round trip.
	Latency time.Duration

	// Bandwidth is the limit in bytes per second, shared by all connections
	// from the one host to the other; 0 is no limit.
	Bandwidth int
}

// window is what the link itself holds on top of the connection's buffer:
// its bandwidth-delay product, so that a long link can be kept full.
func (l Link) window() int {
	switch {
	case l.Latency <= 0:
		return 0
	case l.Bandwidth <= 0:
		return inFlight
	}
	return int(float64(l.Bandwidth) * l.Latency.Seconds())
}

// chunk is how many bytes arrive together under the bandwidth limit: what
// passes in a millisecond, within reason.
func (l Link) chunk() int {
	return min(max(l.Bandwidth/1000, segment), 64<<10)
}

// A line is the sending end of a link with a bandwidth limit. It serves its
// connections first come, first served, by an absolute schedule: rounding and
// late timers do not add up.
type line struct {
	mu   sync.Mutex
	free time.Time // when what was sent so far has left
}

// send returns when n bytes handed over at now have left at the given rate.
func (l *line) send(now time.Time, n, bandwidth int) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / float64(bandwidth) * float64(time.Second)))
	return l.free
}

// A gate says whether a link lets anything through.
type gate uint8

const (
	open gate = iota
	held      // all is kept, to be delivered in order
	cut       // packets are lost: bytes and FIN will be sent again, an RST not
)

// A path is the state of a link at one moment.
type path struct {
	Link
	gate  gate
	line  *line
	plain bool // the gate is open and the link adds nothing
}

func (p path) plainly() path {
	p.plain = p.gate == open && p.Link == Link{}
	return p
}
