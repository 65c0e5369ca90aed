package transcript

import (
	"context"
	"net"
	"regexp"
	"sync"
	"time"

	"github.com/brownout-go/brownout/faultconn"
)

// Log wraps connections and tells what passes over them. Its fields must not
// change after first use; its methods may be called from any goroutine. The
// zero Log tells nobody.
type Log struct {
	// OnEntry is told everything, one entry at a time. It must not use the
	// connections that are logged, and keeps Data if it likes. Traffic waits
	// for it.
	OnEntry func(Entry)
	// Mask is what must not be seen: asterisks take the place of what these
	// expressions match in either direction of a connection, or of their groups
	// if they have any, however reads and writes cut it. They are read as
	// regexp.Compile reads them, and ^, $ and \b hold at the ends of an entry too.
	// A login is a line, (?im)^AUTH PLAIN (\S+), or a dialogue whose lines follow one
	// another in its direction, (?im)^AUTH LOGIN\r\n(\S+)\r\n(\S+).
	// An expression without an end, such as (?s)key=.*, hides all that follows.
	Mask []*regexp.Regexp
	// Redact is for what expressions cannot say: it is given a copy of what is to
	// be an entry, before limits cut it, and returns what to show, nil for
	// nothing. nil: all is shown.
	Redact func(point string, data []byte) []byte
	// PerEntry is how many bytes of one read or write are shown; 0 means 1024.
	PerEntry int
	// PerConn is how many bytes of each direction of a connection are shown; 0
	// means 64 KiB. After that its entries have no Data. Less than 0 means no
	// limit, for either.
	PerConn int

	compile sync.Once
	masks   []*secret

	mu    sync.Mutex
	conns map[string]int // last number, by point
}

// Fault marks a fault in the log. It is for Injector.OnEvent.
func (l *Log) Fault(e faultconn.Event) {
	l.tell(Entry{Time: e.Time, Point: e.Point, Conn: e.Conn, Kind: Fault, Peer: e.Peer, Event: e})
}

// Conn wraps a connection that this side has opened.
func (l *Log) Conn(point string, c net.Conn) net.Conn {
	return l.wrap(point, l.number(point), c, false)
}

// Dialer wraps a dial function; nil is a zero net.Dialer's.
func (l *Log) Dialer(point string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		n := l.number(point)
		c, err := dial(ctx, network, addr)
		if err != nil {
			l.tell(Entry{Time: time.Now(), Point: point, Conn: n, Kind: Failed, Peer: addr, Err: err})
			return nil, err
		}
		return l.wrap(point, n, c, false), nil
	}
}

// Listener wraps a listener and what it accepts.
func (l *Log) Listener(point string, ln net.Listener) net.Listener {
	w := &listener{ln, l, point}
	if d, ok := ln.(deadliner); ok {
		return &deadlineListener{w, d}
	}
	return w
}

func (l *Log) number(point string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		l.conns = map[string]int{}
	}
	l.conns[point]++
	return l.conns[point]
}

func (l *Log) tell(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.OnEntry != nil {
		l.OnEntry(e)
	}
}

// secrets are what Mask says, ready to be searched for.
func (l *Log) secrets() []*secret {
	l.compile.Do(func() {
		for _, expr := range l.Mask {
			l.masks = append(l.masks, newSecret(expr))
		}
	})
	return l.masks
}

// limits returns PerEntry and PerConn as they are meant; -1 is none.
func (l *Log) limits() (entry, conn int) {
	entry, conn = l.PerEntry, l.PerConn
	if entry == 0 {
		entry = 1024
	}
	if conn == 0 {
		conn = 64 << 10
	}
	return max(entry, -1), max(conn, -1)
}

type listener struct {
	net.Listener
	log   *Log
	point string
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.log.wrap(l.point, l.log.number(l.point), c, true), nil
}

// deadliner is what TCP and Unix listeners offer.
type deadliner interface{ SetDeadline(t time.Time) error }

type deadlineListener struct {
	*listener
	deadliner
}
