package faultconn

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// Close closes the connection; what is held wakes with net.ErrClosed.
func (c *conn) Close() error {
	before := c.state.Or(closed)
	if before&closed != 0 {
		return c.fail("close", net.ErrClosed)
	}
	v := c.view()
	var h hold
	if v != nil && before&(wasReset|wasEnded) == 0 {
		v.call(OpClose)
		d := v.decide(OpClose, nil)
		c.inj.emit(d.events)
		h = d.hold(time.Time{})
	}
	c.adopts.Lock()
	c.current.Swap(nil).stop()
	c.adopts.Unlock()
	c.finish()
	defer c.inj.forget(c)
	if before&wasReset != 0 {
		_ = c.closeInner()
		return nil
	}
	if before&wasEnded != 0 {
		err := c.closeInner()
		if errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
			err = nil
		}
		return err
	}
	if v == nil {
		return c.closeInner()
	}
	return c.closeUnder(h)
}

// closeUnder closes as the rules will have it.
func (c *conn) closeUnder(h hold) error {
	h.effect.Hang = false // Close never waits for another plan
	if h.waits() {
		// Reads and writes end now, the wrapped connection later.
		_ = c.inner.SetDeadline(time.Unix(1, 0))
		var g gate
		g.wait(c.inj, &h, nil, nil)
	}
	e := h.effect
	switch {
	case e.Discard:
		_ = c.inner.SetDeadline(time.Unix(1, 0))
		if c.inj.lose(c.closeInner, h.by) {
			return nil
		}
	case e.Reset:
		abort(c.inner)
		c.reader.Wait()
		return nil
	}
	err := c.closeInner()
	if e.Err != nil {
		return c.fail("close", e.Err)
	}
	return err
}

func (c *conn) closeInner() error {
	err := c.inner.Close()
	c.reader.Wait()
	return err
}

// closeWrite ends the stream to the peer.
func (c *conn) closeWrite(inner writeCloser) error {
	if c.clear() {
		return inner.CloseWrite()
	}
	h := c.beginWrite()
	defer c.endWrite()
	if over, err := c.shut(); over {
		return err
	}
	v := c.view()
	if v == nil {
		return inner.CloseWrite()
	}
	v.call(OpCloseWrite)
	d := v.decide(OpCloseWrite, nil)
	c.inj.emit(d.events)
	h.hold = d.hold(time.Time{})
	e, err := c.pause("close")
	if over, err := c.shut(); over {
		return err
	}
	switch {
	case err != nil:
		return err
	case e.Err != nil:
		return c.fail("close", e.Err)
	case e.Discard:
		return nil
	}
	return inner.CloseWrite()
}

func (c *conn) closeRead(inner readCloser) error {
	if over, err := c.shut(); over {
		return err
	}
	return inner.CloseRead()
}

// shut reports whether the connection has come to its end, and what closing one
// side of it gives then. What a fault has ended in good order looks as if the peer
// had closed, which does not keep anybody from closing, while the wrapped one may
// know already that both sides have.
func (c *conn) shut() (over bool, err error) {
	switch s := c.state.Load(); {
	case s&closed != 0:
		return true, c.fail("close", net.ErrClosed)
	case s&wasReset != 0:
		return true, c.fail("close", os.NewSyscallError("shutdown", syscall.ENOTCONN))
	case s&wasEnded != 0:
		return true, nil
	}
	return false, nil
}

// abort closes with a RST where the connection, or one it wraps, can send one.
func abort(c net.Conn) {
	for inner := c; ; {
		if l, ok := inner.(interface{ SetLinger(sec int) error }); ok {
			_ = l.SetLinger(0)
			_ = inner.Close()
			return
		}
		n, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			_ = c.Close()
			return
		}
		inner = n.NetConn()
	}
}

// endStream lets the peer see the end of the stream. Closing outright would
// turn into a RST if there were unread data, so that is left to the user's
// Close where a half-close can do it.
func endStream(c net.Conn) {
	w, canWrite := c.(interface{ CloseWrite() error })
	r, canRead := c.(interface{ CloseRead() error })
	if !canWrite || !canRead {
		_ = c.Close()
		return
	}
	_ = w.CloseWrite()
	_ = r.CloseRead() // wakes a Read
}
