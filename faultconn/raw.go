package faultconn

import (
	"syscall"
	"time"
)

// rawConn is the socket below a connection. Clients with a pool look there
// whether an idle connection has ended, without waiting. Only one can read a
// socket at a time, so that what reads ahead has to make way.
type rawConn struct {
	syscall.RawConn
	c *conn
}

func (c *conn) rawConn(s syscall.Conn) (syscall.RawConn, error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &rawConn{raw, c}, nil
}

// Read implements [syscall.RawConn]. Data that have been read ahead are not there
// for it: they are late.
func (r *rawConn) Read(f func(fd uintptr) (done bool)) error {
	if h := r.c.in.Load(); h != nil {
		h.turn <- struct{}{}
		r.c.stopAhead()
		r.c.pass()
	}
	return r.RawConn.Read(f)
}

// stopAhead ends the reading ahead at once, and keeps what it has read. The caller
// has the turn.
func (c *conn) stopAhead() {
	h := c.inbound()
	a := h.ahead
	if a == nil {
		return
	}
	a.halt()
	_ = c.inner.SetReadDeadline(time.Unix(1, 0)) // fails if the connection has been closed, which ends it too
	before, _ := a.take()                        // it may wait for room
	<-a.done
	after, _ := a.take()
	h.queue = append(append(h.queue, before...), after...)
	h.ahead = nil
	for moves := -1; moves != c.readGate.count(); { // or the user has moved it meanwhile
		var deadline time.Time
		deadline, moves = c.readGate.last()
		_ = c.inner.SetReadDeadline(deadline)
	}
}
