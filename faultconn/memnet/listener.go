package memnet

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// A listener is a queue of connections that are established already.
type listener struct {
	net     *Network
	network string
	key     netip.AddrPort
	addr    *net.TCPAddr

	mu      sync.Mutex
	ready   sync.Cond
	queue   []*Conn
	coming  int // dials between their first packet and the queue
	waiting int // dials that found the queue full
	closed  bool
	limit   deadline
}

func (n *Network) listen(h *Host, network, address string) (net.Listener, error) {
	on, port, err := n.resolve(h, network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	addr := on.addr(port)
	fail := func(err error) (net.Listener, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
	}
	if n.closed {
		return fail(net.ErrClosed)
	}
	if h != nil && on != h {
		return fail(os.NewSyscallError("bind", syscall.EADDRNOTAVAIL))
	}
	if port == 0 {
		port = on.freePort()
		addr = on.addr(port)
	}
	key := netip.AddrPortFrom(on.ip, port)
	if port == 0 || n.ports[key] != nil {
		return fail(os.NewSyscallError("bind", syscall.EADDRINUSE))
	}
	l := &listener{net: n, network: network, key: key, addr: addr}
	l.ready.L = &l.mu
	n.ports[key] = l
	n.notify()
	return l, nil
}

// Accept implements net.Listener. The conn is a *Conn.
func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	for !l.closed && !l.limit.expired && len(l.queue) == 0 {
		l.ready.Wait()
	}
	switch {
	case l.closed:
		l.mu.Unlock()
		return nil, l.error("accept", net.ErrClosed)
	case l.limit.expired:
		l.mu.Unlock()
		return nil, l.error("accept", os.ErrDeadlineExceeded)
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	full := l.waiting > 0
	l.mu.Unlock()
	if full {
		l.net.mu.Lock()
		l.net.notify()
		l.net.mu.Unlock()
	}
	return c, nil
}

// Close stops listening. Connections that nobody has accepted are reset.
func (l *listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return l.error("close", net.ErrClosed)
	}
	l.closed = true
	l.limit.stop()
	queue := l.queue
	l.queue = nil
	l.ready.Broadcast()
	l.mu.Unlock()

	n := l.net
	n.mu.Lock()
	if n.ports[l.key] == l {
		delete(n.ports, l.key)
	}
	n.notify()
	n.mu.Unlock()
	for _, c := range queue {
		c.close(true)
	}
	return nil
}

// Addr returns the address, a *net.TCPAddr.
func (l *listener) Addr() net.Addr { return l.addr }

// SetDeadline sets the deadline of Accept, as that of a *net.TCPListener does.
func (l *listener) SetDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.error("set", net.ErrClosed)
	}
	l.limit.set(&l.mu, l.ready.Broadcast, t)
	return nil
}

func (l *listener) error(op string, err error) error {
	return &net.OpError{Op: op, Net: l.network, Addr: l.addr, Err: err}
}

// admit answers the first packet of a dial: with refused, if it is to be
// refused, and false if there is no room.
func (l *listener) admit(backlog int) (ok, refused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return false, true
	case len(l.queue)+l.coming >= backlog:
		l.waiting++
		return false, false
	}
	l.coming++
	return true, false
}

// put queues c, whose place admit has kept; nil gives the place up.
func (l *listener) put(c *Conn) {
	l.mu.Lock()
	l.coming--
	closed := l.closed
	if c != nil && !closed {
		l.queue = append(l.queue, c)
		l.ready.Signal()
	}
	l.mu.Unlock()
	if c != nil && closed {
		c.close(true)
	}
}

// gaveUp is the end of a wait for room.
func (l *listener) gaveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
}
