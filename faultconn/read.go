package faultconn

import (
	"errors"
	"io"
	"os"
	"time"
)

func (c *conn) Read(b []byte) (int, error) {
	if !c.clear() && !c.free() {
		return c.readHeld(b, 0, nil)
	}
	n, err := c.inner.Read(b)
	if c.clear() || c.free() {
		return n, err
	}
	return c.readHeld(b, n, err) // a plan came while the data did not
}

// readHeld reads where a plan, or what one has left behind, stands in the way.
// n and err are what a Read of the wrapped connection into b has returned.
func (c *conn) readHeld(b []byte, n int, err error) (int, error) {
	h := c.inbound()
	h.turn <- struct{}{} // whoever has it obeys the same deadline and Close
	defer c.pass()
	if n == 0 && err != nil && err != io.EOF {
		return 0, c.failed("read", err)
	}
	if n > 0 || err != nil {
		c.arrived(arrival{data: b[:n], err: err})
	}
	if v := c.view(); v != nil && len(b) > 0 {
		v.call(OpRead)
	}
	for {
		if err := c.over("read"); err != nil {
			return 0, err
		}
		if len(b) == 0 && h.keeps() {
			return 0, nil
		}
		if c.readGate.expired() {
			return 0, c.timedOut("read")
		}
		switch {
		case h.hold.on:
			if err := c.release(); err != nil {
				return 0, err
			}
		case len(h.ready) > 0 || h.after != nil:
			n := copy(b, h.ready)
			h.ready = h.ready[n:]
			if len(h.ready) > 0 {
				return n, nil
			}
			err := h.after
			h.after = nil
			if n > 0 || err != nil {
				return n, err
			}
		case len(h.queue) > 0:
			c.judge()
		case h.ahead != nil:
			c.collect()
		default:
			if n, err, done := c.take(b); done {
				return n, err
			}
		}
	}
}

// pass gives the turn away.
func (c *conn) pass() {
	h := c.inbound()
	if h.keeps() {
		c.state.Or(keeping)
	} else {
		c.state.And(^keeping)
	}
	<-h.turn
}

// arrived keeps what a Read into the caller's buffer has just returned.
func (c *conn) arrived(a arrival) {
	h := c.inbound()
	a.at = time.Now()
	if len(h.queue) == 0 && len(h.ready) == 0 && len(h.hold.data) == 0 {
		h.buf = append(h.buf[:0], a.data...)
		a.data = h.buf
	} else {
		a.data = append([]byte(nil), a.data...)
	}
	h.queue = append(h.queue, a)
}

// take reads from the wrapped connection, when nothing is kept from before. What
// the rules have nothing to say about is returned where it is, in the caller's
// buffer; the rest is kept.
func (c *conn) take(b []byte) (n int, err error, done bool) {
	h := c.inbound()
	var begun time.Time
	if h.flood {
		begun = time.Now()
	}
	n, err = c.inner.Read(b)
	a := arrival{data: b[:n], err: err}
	if h.flood {
		h.idle += time.Since(begun)
		a.idle = h.idle
	}
	if n == 0 && (err != io.EOF || h.passed) {
		return 0, c.failed("read", err), true
	}
	h.idle = 0
	d := verdict{n: n}
	if v := c.view(); v != nil && n > 0 {
		d = v.decide(OpRead, a.data)
		c.inj.emit(d.events)
		h.unflood(&d, &a)
		if !d.effect.nothing() {
			c.arrived(a)
			c.apply(v, OpRead, d)
			return 0, nil, false
		}
		v.advance(OpRead, a.data[:d.n])
	}
	if a.data = a.data[d.n:]; !a.empty() {
		c.arrived(a)
	}
	return d.n, nil, d.n > 0
}

// judge decides upon the front of what has arrived. A wait is left to release.
func (c *conn) judge() {
	h := c.inbound()
	a := &h.queue[0]
	v := c.view()
	switch {
	case len(a.data) == 0 && a.err != io.EOF: // not for plans to decide upon
		if !errors.Is(a.err, os.ErrDeadlineExceeded) { // which may have moved: the next Read finds out
			h.after = c.failed("read", a.err)
		}
		a.err = nil
		h.trim()
	case v == nil && len(a.data) == 0:
		h.ended()
	case v == nil:
		h.enough()
		h.ready, a.data = a.data, nil
		h.trim()
	default:
		kind := OpRead
		if len(a.data) == 0 {
			kind = OpPeerClose
		}
		d := v.decide(kind, a.data)
		c.inj.emit(d.events)
		h.unflood(&d, a)
		c.apply(v, kind, d)
	}
}

// apply puts what a verdict is about on hold.
func (c *conn) apply(v *view, kind OpKind, d verdict) {
	h := c.inbound()
	a := &h.queue[0]
	e := &d.effect
	if kind == OpPeerClose && e.Discard {
		e.Discard, e.Hang = false, true // a lost FIN: nothing more comes
	}
	if e.Err != nil {
		d.n = min(e.Bytes, d.n)
	}
	h.hold = d.hold(a.at)
	h.hold.end = kind == OpPeerClose
	h.hold.data, a.data = a.data[:d.n:d.n], a.data[d.n:]
	v.advance(kind, h.hold.data)
	h.trim()
}

// release waits for what is held and lets its effect take place.
func (c *conn) release() error {
	h := c.inbound()
	held := &h.hold
	for waiting := held.waits(); waiting; {
		var stopped <-chan struct{}
		if held.late() {
			stopped = c.readAhead()
		}
		switch c.readGate.wait(c.inj, held, c.end, stopped) {
		case expired:
			return c.timedOut("read")
		case ended:
			return nil // the caller says how
		case due:
			waiting = false
		}
	}
	e, data, end := held.effect, held.data, held.end
	*held = hold{}
	switch {
	case e.Reset || e.Close:
		c.breaks(e)
	case e.Discard:
	case e.Replace:
		h.ready = []byte(e.With)
	default:
		h.ready = data
	}
	if e.Err != nil {
		h.after = c.fail("read", e.Err)
	} else if end && !e.Reset && !e.Close {
		h.ended()
	}
	return nil
}
