package faultconn

import (
	"errors"
	"io"
	"time"
)

// inbound is the direction from the peer. Bytes go from the wrapped connection
// to fresh, are decided upon from its front, and go to ready when their time
// has come; all but gate is owned by whoever holds the turn.
type inbound struct {
	gate gate
	turn chan struct{} // holds one value while a Read has it

	buf   []byte // backs fresh and ready
	fresh []byte // arrived, not decided upon
	err   error  // of the wrapped connection, after fresh
	ready []byte // to be returned
	after error  // to be returned with the last of ready

	hold hold
}

// hold is an operation, or a piece of one, whose effect has yet to take place.
type hold struct {
	view   *view // nil: nothing is held
	until  time.Time
	hang   bool
	effect Effect
	data   []byte
}

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
	h := &c.in
	h.turn <- struct{}{} // whoever has it obeys the same deadline and Close
	defer func() {
		kept := len(h.fresh) > 0 || len(h.ready) > 0 || h.err != nil || h.after != nil || h.hold.view != nil
		if kept {
			c.state.Or(keeping)
		} else {
			c.state.And(^keeping)
		}
		<-h.turn
	}()
	if n > 0 || err != nil {
		c.arrived(b[:n], err)
	}
	if v := c.view(); v != nil {
		v.call(OpRead)
	}
	for {
		if err := c.over("read"); err != nil {
			return 0, err
		}
		if h.gate.expired() {
			return 0, c.timedOut("read")
		}
		if h.hold.view != nil {
			if err := c.release(); err != nil {
				return 0, err
			}
			continue
		}
		if len(h.ready) > 0 || h.after != nil {
			n := copy(b, h.ready)
			h.ready = h.ready[n:]
			if len(h.ready) > 0 {
				return n, nil
			}
			err := h.after
			h.after = nil
			if n > 0 || err != nil || len(b) == 0 {
				return n, err
			}
			continue
		}
		if len(h.fresh) == 0 && h.err == nil {
			n, err := c.inner.Read(b)
			if c.clear() || n == 0 && err == nil {
				return n, err
			}
			c.arrived(b[:n], err)
			continue
		}
		if err := c.judge(); err != nil {
			return 0, err
		}
	}
}

// arrived takes what a Read of the wrapped connection returned.
func (c *conn) arrived(data []byte, err error) {
	h := &c.in
	if len(h.fresh) == 0 && len(h.ready) == 0 && len(h.hold.data) == 0 {
		h.buf = append(h.buf[:0], data...)
		h.fresh = h.buf
	} else {
		h.fresh = append(h.fresh[:len(h.fresh):len(h.fresh)], data...)
	}
	if err != nil {
		h.err = err
	}
}

// judge decides upon the front of what has arrived. A wait is left to release.
func (c *conn) judge() error {
	h := &c.in
	v := c.view()
	if len(h.fresh) == 0 && h.err != io.EOF {
		err := h.err
		h.err = nil // the next Read asks again
		return err
	}
	if v == nil {
		h.ready, h.fresh = h.fresh, nil
		if len(h.ready) == 0 {
			h.after = h.err // io.EOF; asked again by the next Read
			h.err = nil
		}
		return nil
	}
	kind := OpRead
	if len(h.fresh) == 0 {
		kind = OpPeerClose
	}
	d := v.decide(kind, h.fresh)
	c.inj.emit(d.events)
	e := d.effect
	if kind == OpPeerClose && e.Discard {
		e.Discard, e.Hang = false, true // a lost FIN: nothing more comes
	}
	h.hold = hold{view: v, hang: e.Hang, effect: e}
	n := d.n
	if e.Err != nil {
		n = min(e.Bytes, d.n)
	}
	h.hold.data, h.fresh = h.fresh[:n:n], h.fresh[n:]
	v.advance(kind, h.hold.data)
	if e.Delay > 0 {
		h.hold.until = time.Now().Add(e.Delay)
	}
	if d.rate != nil {
		if t := d.rate.take(n, e.Rate); t.After(h.hold.until) {
			h.hold.until = t
		}
	}
	return nil
}

// release waits for what is held and lets its effect take place.
func (c *conn) release() error {
	h := &c.in
	held := &h.hold
	replaced := false
	if held.hang || !held.until.IsZero() {
		switch h.gate.wait(held.deadline(), c.end, held.view.changed) {
		case expired:
			return c.timedOut("read")
		case ended:
			return nil // the caller says how
		case replanned:
			replaced = true
		}
	}
	e, data := held.effect, held.data
	*held = hold{}
	if replaced && e.ends() {
		e = Effect{} // another plan's business now
	}
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
	} else if len(h.fresh) == 0 && errors.Is(h.err, io.EOF) && len(data) == 0 && !e.Reset && !e.Close {
		h.after, h.err = h.err, nil
	}
	return nil
}

// deadline is the time to wait for; zero is for ever.
func (h *hold) deadline() time.Time {
	if h.hang {
		return time.Time{}
	}
	return h.until
}
