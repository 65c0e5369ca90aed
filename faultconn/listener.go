package faultconn

import (
	"net"
	"os"
	"sync"
	"time"
)

// Listener wraps a listener, and what it accepts. The point is the name plans
// know the connections by.
//
// Rules strike each connection as an OpAccept once it has been accepted. A
// delay holds it, and what comes after it, as a slow accept loop does; an Err
// makes Accept fail and leaves the connection for the next Accept, as a process
// that is out of file descriptors does; Reset and Close break it before it is
// returned. Close of the listener wakes a held Accept and closes the connection
// it holds.
func (i *Injector) Listener(point string, ln net.Listener) net.Listener {
	l := &listener{Listener: ln, inj: i, point: i.point(point), end: make(chan struct{})}
	if d, ok := ln.(deadliner); ok {
		return &deadlineListener{l, d}
	}
	return l
}

type listener struct {
	net.Listener
	inj   *Injector
	point *point
	gate  gate
	end   chan struct{} // closed by Close

	mu     sync.Mutex
	closed bool
	left   []net.Conn // by an Accept that failed
}

func (l *listener) Accept() (net.Conn, error) {
	if c := l.take(); c != nil {
		return c, nil
	}
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		id := l.point.identity(peerName(inner), true)
		plan := l.inj.plan.Load()
		if plan == nil {
			return l.inj.wrap(inner, id, nil), nil
		}
		v := newView(plan, id, nil)
		d := v.decide(OpAccept, nil)
		l.inj.emit(d.events)
		if d.effect.Discard && l.inj.lose(func() error { v.stop(); return inner.Close() }, d.by) {
			continue
		}
		return l.admit(l.inj.wrap(inner, id, v), d.hold(time.Time{}))
	}
}

// admit lets the effect of the rules take place on a new connection.
func (l *listener) admit(c net.Conn, h hold) (net.Conn, error) {
	if h.waits() {
		switch l.gate.wait(l.inj, &h, l.end, nil) {
		case expired:
			l.leave(c)
			return nil, l.fail(os.ErrDeadlineExceeded)
		case ended:
			_ = c.Close()
			return nil, l.fail(net.ErrClosed)
		}
	}
	e := h.effect
	if e.Err != nil {
		l.leave(c)
		return nil, l.fail(e.Err)
	}
	unwrap(c).breaks(e)
	return c, nil
}

func (l *listener) fail(err error) error {
	a := l.Addr()
	return opError("accept", a.Network(), nil, a, err)
}

func (l *listener) take() net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.left) == 0 {
		return nil
	}
	c := l.left[0]
	l.left = l.left[1:]
	return c
}

func (l *listener) leave(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = c.Close()
		return
	}
	l.left = append(l.left, c)
}

func (l *listener) Close() error {
	l.mu.Lock()
	left := l.left
	l.left = nil
	if !l.closed {
		l.closed = true
		close(l.end)
	}
	l.mu.Unlock()
	for _, c := range left {
		_ = c.Close()
	}
	return l.Listener.Close()
}

// deadliner is what TCP and Unix listeners offer.
type deadliner interface{ SetDeadline(t time.Time) error }

type deadlineListener struct {
	*listener
	inner deadliner
}

func (l *deadlineListener) SetDeadline(t time.Time) error {
	l.gate.set(t)
	return l.inner.SetDeadline(t)
}
