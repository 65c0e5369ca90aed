package faultconn

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is a wrapped connection. Its users see it as one of the types in
// kinds.go, which offer what the wrapped one offers.
type conn struct {
	inner net.Conn
	inj   *Injector
	id    *identity

	// state is zero while nothing but the plan can stand between an operation
	// and the wrapped connection.
	state atomic.Uint32

	current atomic.Pointer[view] // of the plan in force; nil for none
	adopts  sync.Mutex

	end  chan struct{} // closed once the connection is closed or broken
	ends sync.Once

	readGate  gate
	writeGate gate
	in        atomic.Pointer[inbound] // nil until a plan stands in the way of a Read
	out       atomic.Pointer[outbound]
	reader    sync.WaitGroup // of what reads ahead
}

// Bits of conn.state.
const (
	keeping  uint32 = 1 << iota // something is kept from an earlier Read
	writing                     // a Write has the turn, or has left something held
	wasReset                    // a fault has reset the connection
	wasEnded                    // a fault has ended it with a FIN
	told                        // the reset has been reported, as the kernel does once
	closed                      // by its user
)

// clear is all that an operation costs when no plan is in force.
func (c *conn) clear() bool { return c.inj.plan.Load() == nil && c.state.Load() == 0 }

// free is like clear where a plan is in force that has nothing to say about
// this connection.
func (c *conn) free() bool { return c.state.Load() == 0 && c.view() == nil }

// view returns what the plan in force and this connection know of each other;
// nil if the plan has nothing to say here.
func (c *conn) view() *view {
	p := c.inj.plan.Load()
	if p == nil {
		return nil
	}
	v := c.current.Load()
	if v == nil || v.compiled != p {
		v = c.adopt()
	}
	if v == nil || len(v.rules) == 0 {
		return nil
	}
	return v
}

// adopt begins to obey the plan in force.
func (c *conn) adopt() *view {
	c.adopts.Lock()
	defer c.adopts.Unlock()
	p, v := c.inj.plan.Load(), c.current.Load()
	if p == nil || c.state.Load()&closed != 0 {
		v.stop()
		c.current.Store(nil)
		return nil
	}
	if v == nil || v.compiled != p {
		v = newView(p, c.id, v)
		c.current.Store(v)
	}
	v.clocks(c.strike)
	return v
}

// strike is a rule's moment: what it does needs no traffic.
func (c *conn) strike(v *view, s *stake) {
	if c.state.Load()&(closed|wasReset|wasEnded) != 0 {
		return
	}
	d := v.decideClock(s)
	c.inj.emit(d.events)
	c.breaks(d.effect)
}

// breaks performs the part of an effect that ends the connection.
func (c *conn) breaks(e Effect) {
	switch {
	case e.Reset:
		c.state.Or(wasReset)
		abort(c.inner)
		c.finish()
	case e.Close:
		c.state.Or(wasEnded)
		endStream(c.inner)
		c.finish()
	}
}

func (c *conn) finish() { c.ends.Do(func() { close(c.end) }) }

// over returns how an operation fails once the connection has come to its end,
// nil before that.
func (c *conn) over(op string) error {
	s := c.state.Load()
	switch {
	case s&closed != 0:
		return c.fail(op, net.ErrClosed)
	case s&wasReset != 0 && op != "close" && c.state.Or(told)&told == 0:
		return c.fail(op, syscall.ECONNRESET)
	case s&(wasReset|wasEnded) == 0:
		return nil
	case op == "read":
		return io.EOF
	}
	return c.fail(op, syscall.EPIPE)
}

func (c *conn) LocalAddr() net.Addr  { return c.inner.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr { return c.inner.RemoteAddr() }

func (c *conn) SetDeadline(t time.Time) error {
	return c.setDeadline(t, c.inner.SetDeadline, &c.readGate, &c.writeGate)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(t, c.inner.SetReadDeadline, &c.readGate)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(t, c.inner.SetWriteDeadline, &c.writeGate)
}

// setDeadline fails for what the user has closed, though the wrapped connection
// may have to stay open. What the peer has closed or reset takes deadlines and
// options, though the wrapped connection may be closed.
func (c *conn) setDeadline(t time.Time, inner func(time.Time) error, gates ...*gate) error {
	if c.state.Load()&closed != 0 {
		return c.fail("set", net.ErrClosed)
	}
	for _, g := range gates {
		g.set(t)
	}
	return c.set(inner(t))
}

// set is what setting something gives that gave err on the wrapped connection.
func (c *conn) set(err error) error {
	switch s := c.state.Load(); {
	case s&closed != 0:
		return c.fail("set", net.ErrClosed)
	case s&(wasReset|wasEnded) != 0:
		return nil
	}
	return err
}

// timedOut is what an operation returns whose deadline has passed.
func (c *conn) timedOut(op string) error { return c.fail(op, os.ErrDeadlineExceeded) }
