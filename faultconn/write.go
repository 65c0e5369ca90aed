package faultconn

import (
	"io"
	"time"
)

// outbound is the direction to the peer. It is owned by whoever holds the turn.
type outbound struct {
	turn chan struct{} // holds one value while a Write has it
	hold hold          // data is not used: the bytes are the caller's until they are sent
}

func (c *conn) outbound() *outbound {
	if c.out.Load() == nil {
		c.out.CompareAndSwap(nil, &outbound{turn: make(chan struct{}, 1)})
	}
	return c.out.Load()
}

func (c *conn) Write(b []byte) (int, error) {
	if c.clear() || c.free() {
		n, err := c.inner.Write(b)
		if err != nil {
			err = c.failed("write", err)
		}
		return n, err
	}
	return c.writeHeld(b)
}

// failed puts what a fault has done to the connection in the place of the error
// that the wrapped one gave because of it.
func (c *conn) failed(op string, err error) error {
	if over := c.over(op); over != nil {
		return over
	}
	return err
}

// beginWrite waits for the turn. Until endWrite no other Write goes the way that
// is free, or it would come out in the middle of this one when the plan goes.
func (c *conn) beginWrite() *outbound {
	h := c.outbound()
	h.turn <- struct{}{}
	c.state.Or(writing)
	return h
}

func (c *conn) endWrite() {
	h := c.outbound()
	if !h.hold.on {
		c.state.And(^writing)
	}
	<-h.turn
}

func (c *conn) writeHeld(b []byte) (n int, err error) {
	h := c.beginWrite()
	defer c.endWrite()
	v := c.view()
	if v != nil && len(b) > 0 {
		v.call(OpWrite)
	}
	for {
		if err := c.over("write"); err != nil {
			return n, err
		}
		if c.writeGate.expired() {
			return n, c.timedOut("write")
		}
		if h.hold.on { // of a Write that ran into its deadline
			if _, err := c.pause("write"); err != nil {
				return n, err
			}
			continue
		}
		if v = c.view(); v == nil || len(b) == 0 {
			m, err := c.inner.Write(b)
			n += m
			if err != nil {
				err = c.failed("write", err)
			}
			return n, err
		}
		m, err := c.send(v, b)
		n, b = n+m, b[m:]
		if err != nil || len(b) == 0 {
			return n, err
		}
	}
}

// send writes the front of b as the rules will have it, and returns how many of
// its bytes are done with.
func (c *conn) send(v *view, b []byte) (int, error) {
	h := c.outbound()
	d := v.decide(OpWrite, b)
	c.inj.emit(d.events)
	if d.effect.Err != nil {
		d.n = min(d.effect.Bytes, d.n)
	}
	n, e := d.n, d.effect
	if !e.nothing() {
		h.hold = d.hold(time.Time{})
		var err error
		if e, err = c.pause("write"); err != nil {
			return 0, err
		}
		if err := c.over("write"); err != nil {
			return 0, err
		}
	}
	data := b[:n]
	switch {
	case e.Discard:
		v.advance(OpWrite, b[:n])
		return n, nil
	case e.Replace:
		data = []byte(e.With)
	}
	if len(data) > 0 {
		m, err := c.inner.Write(data)
		if err == nil && m < len(data) {
			err = io.ErrShortWrite
		}
		if err != nil {
			m = min(m, n)
			v.advance(OpWrite, b[:m])
			return m, c.failed("write", err)
		}
	}
	v.advance(OpWrite, b[:n])
	if e.Err != nil {
		return n, c.fail("write", e.Err)
	}
	return n, nil
}

// pause waits for what is held and returns the effect that is to take place.
// The end of a connection has taken place when it returns.
func (c *conn) pause(op string) (Effect, error) {
	h := c.outbound()
	if h.hold.waits() {
		switch c.writeGate.wait(c.inj, &h.hold, c.end, nil) {
		case expired:
			return Effect{}, c.timedOut(op)
		case ended:
			return Effect{}, c.over(op)
		}
	}
	e := h.hold.effect
	h.hold = hold{}
	c.breaks(e)
	return e, nil
}
