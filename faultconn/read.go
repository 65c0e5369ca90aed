package faultconn

import "io"

// inbound is the direction from the peer. Bytes go from the wrapped connection
// to fresh, are decided upon from its front, and go to ready when their time
// has come; all but gate is owned by whoever holds the turn.
type inbound struct {
	gate gate
	turn chan struct{} // holds one value while a Read has it

	buf   []byte // backs fresh and ready
	fresh []byte // arrived, not decided upon
	eof   bool   // the end of the stream has arrived, after fresh
	ready []byte // to be returned
	after error  // to be returned with the last of ready

	hold hold
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
		kept := len(h.fresh) > 0 || len(h.ready) > 0 || h.eof || h.after != nil || h.hold.on
		if kept {
			c.state.Or(keeping)
		} else {
			c.state.And(^keeping)
		}
		<-h.turn
	}()
	if n > 0 || err != nil {
		if err := c.arrived(b[:n], err); err != nil {
			return 0, err
		}
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
		if h.hold.on {
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
		if len(h.fresh) == 0 && !h.eof {
			n, err := c.inner.Read(b)
			if n == 0 && err == nil {
				return 0, nil
			}
			if n, err = c.take(b[:n], err); n > 0 || err != nil {
				return n, err
			}
			continue
		}
		c.judge()
	}
}

// arrived takes what a Read of the wrapped connection returned. It returns the
// error if that is all there was and not the end of the stream: deadlines and
// broken connections are not for plans to decide upon.
func (c *conn) arrived(data []byte, err error) error {
	h := &c.in
	if len(h.fresh) == 0 && len(h.ready) == 0 && len(h.hold.data) == 0 {
		h.buf = append(h.buf[:0], data...)
		h.fresh = h.buf
	} else {
		h.fresh = append(h.fresh[:len(h.fresh):len(h.fresh)], data...)
	}
	switch {
	case err == io.EOF:
		h.eof = true
	case err != nil && len(data) == 0:
		return c.failed("read", err)
	}
	return nil
}

// take is arrived for the usual case, in which the rules have nothing to say:
// what they let pass is returned where it is, in the caller's buffer. Nothing is
// kept from before.
func (c *conn) take(b []byte, err error) (int, error) {
	if len(b) == 0 {
		return 0, c.arrived(nil, err)
	}
	n := len(b)
	if v := c.view(); v != nil {
		d := v.decide(OpRead, b)
		c.inj.emit(d.events)
		if !d.effect.nothing() {
			_ = c.arrived(b, err) // no error alone
			c.apply(v, OpRead, d)
			return 0, nil
		}
		n = d.n
		v.advance(OpRead, b[:n])
	}
	if n < len(b) || err == io.EOF {
		_ = c.arrived(b[n:], err)
	}
	return n, nil
}

// judge decides upon the front of what has arrived. A wait is left to release.
func (c *conn) judge() {
	h := &c.in
	v := c.view()
	if v == nil {
		h.ready, h.fresh = h.fresh, nil
		if len(h.ready) == 0 {
			h.ended()
		}
		return
	}
	kind := OpRead
	if len(h.fresh) == 0 {
		kind = OpPeerClose
	}
	d := v.decide(kind, h.fresh)
	c.inj.emit(d.events)
	c.apply(v, kind, d)
}

// apply puts what a verdict is about on hold.
func (c *conn) apply(v *view, kind OpKind, d verdict) {
	h := &c.in
	e := &d.effect
	if kind == OpPeerClose && e.Discard {
		e.Discard, e.Hang = false, true // a lost FIN: nothing more comes
	}
	if e.Err != nil {
		d.n = min(e.Bytes, d.n)
	}
	h.hold = d.hold()
	h.hold.end = kind == OpPeerClose
	h.hold.data, h.fresh = h.fresh[:d.n:d.n], h.fresh[d.n:]
	v.advance(kind, h.hold.data)
}

// ended passes the end of the stream on. The next Read asks for it again.
func (h *inbound) ended() { h.after, h.eof = io.EOF, false }

// release waits for what is held and lets its effect take place.
func (c *conn) release() error {
	h := &c.in
	held := &h.hold
	if held.waits() {
		switch h.gate.wait(c.inj, held, c.end) {
		case expired:
			return c.timedOut("read")
		case ended:
			return nil // the caller says how
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
