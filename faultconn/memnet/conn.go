package memnet

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one end of a connection. Dial and Accept return one as a net.Conn;
// a type assertion gives the methods that a *net.TCPConn has beyond that.
//
// Its methods can be called from several goroutines. Concurrent writes do not
// mix.
type Conn struct {
	in, out       *half
	peer          *Conn
	network       string
	local, remote net.Addr
	pair          *pair
	abortive      atomic.Bool
	dead          bool // an RST has arrived; guarded by in.mu
	// The errno of an RST, until a Read or a Write has returned it.
	errno atomic.Int32
}

var _ net.Conn = (*Conn)(nil)

// A pair is the two ends and the two directions of a connection.
type pair struct {
	ends   [2]Conn
	halves [2]half
	open   atomic.Int32
	forget func(*pair) // called once both ends are closed
}

// newPair connects a, at local, to b, at remote, over the given paths.
func newPair(network string, local, remote net.Addr, size int, there, back path) *pair {
	p := &pair{}
	p.open.Store(2)
	a, b := &p.ends[0], &p.ends[1]
	p.halves[0].init(a, b, size, there)
	p.halves[1].init(b, a, size, back)
	*a = Conn{in: &p.halves[1], out: &p.halves[0], peer: b, network: network, local: local, remote: remote, pair: p}
	*b = Conn{in: &p.halves[0], out: &p.halves[1], peer: a, network: network, local: remote, remote: local, pair: p}
	return p
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.read(p)
	if err != nil && err != io.EOF {
		err = c.error("read", err)
	}
	return n, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	if err != nil {
		err = c.error("write", err)
	}
	return n, err
}

// Close ends both directions. The peer reads what was written before and then
// io.EOF; but it gets an RST if received bytes are unread, or after
// SetLinger(0). Calls that are blocked on c fail with net.ErrClosed.
func (c *Conn) Close() error {
	if !c.close(c.abortive.Load()) {
		return c.error("close", net.ErrClosed)
	}
	return nil
}

// close reports false if c was closed already.
func (c *Conn) close(abort bool) bool {
	h := c.in
	h.mu.Lock()
	if h.readClosed {
		h.mu.Unlock()
		return false
	}
	if len(h.marks) > 0 {
		h.ripen()
	}
	h.readClosed = true
	h.offer = nil // a Read that has not woken up yet takes no more
	gone := h.readReset
	abort = abort || h.ready > 0
	h.discard()
	if abort {
		h.bounced = false // one RST is enough
	}
	h.readLimit.stop()
	if h.arrival != nil {
		h.arrival.Stop()
	}
	h.readable.Broadcast()
	h.mu.Unlock()

	h = c.out
	h.mu.Lock()
	h.writeClosed = true
	h.writeLimit.stop()
	if !gone && !abort && !h.fin {
		h.fin = true
		h.send()
	}
	h.writable.Broadcast()
	h.mu.Unlock()
	if !gone && abort {
		h.sendReset(time.Time{}, false)
	}
	c.in.bounce()
	if p := c.pair; p.open.Add(-1) == 0 && p.forget != nil {
		p.forget(p)
	}
	return true
}

// CloseWrite sends a FIN after the bytes written so far; see
// [net.TCPConn.CloseWrite].
func (c *Conn) CloseWrite() error {
	both := c.in.ended() && c.out.ended()
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.writeClosed:
		return c.error("close", net.ErrClosed)
	case h.writeReset || both:
		return c.error("close", shutdownError)
	}
	if !h.writeShut {
		h.writeShut, h.fin = true, true
		h.send()
		h.writable.Broadcast()
	}
	return nil
}

// CloseRead makes reads return io.EOF once the bytes received so far have been
// read. As on Linux the peer notices nothing.
func (c *Conn) CloseRead() error {
	both := c.in.ended() && c.out.ended()
	h := c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.readClosed:
		return c.error("close", net.ErrClosed)
	case h.readReset || both:
		return c.error("close", shutdownError)
	}
	h.readShut = true
	h.readable.Broadcast()
	return nil
}

// SetLinger(0) makes Close send an RST; any other value makes it send a FIN,
// and what was written is delivered in the background.
func (c *Conn) SetLinger(sec int) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	if c.in.readClosed {
		return c.error("set", net.ErrClosed)
	}
	c.abortive.Store(sec == 0)
	return nil
}

// LocalAddr returns the address of this end, a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the peer, a *net.TCPAddr.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn. It wakes a Read that is blocked.
func (c *Conn) SetReadDeadline(t time.Time) error {
	h := c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.readClosed {
		return c.deadlineError()
	}
	h.readLimit.set(&h.mu, h.readable.Broadcast, t)
	return nil
}

// SetWriteDeadline implements net.Conn. It wakes a Write that is blocked. A
// write that is late fails even where there is room for its bytes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.writeClosed {
		return c.deadlineError()
	}
	h.writeLimit.set(&h.mu, h.writable.Broadcast, t)
	return nil
}

// resetArrived is what happens when an RST gets here.
func (c *Conn) resetArrived() {
	h := c.in
	h.mu.Lock()
	if h.readClosed || c.dead {
		h.mu.Unlock()
		return
	}
	c.dead = true
	// Nothing overtakes, so what was sent before has arrived too.
	for _, m := range h.marks {
		h.ready += m.n
		h.eof = h.eof || m.fin
	}
	h.marks = nil
	errno := syscall.ECONNRESET
	if h.eof {
		errno = syscall.EPIPE
	}
	c.errno.Store(int32(errno))
	h.mu.Unlock()

	// Reads last: who has been told by one finds everything else done.
	c.out.mu.Lock()
	c.out.writeReset = true
	c.out.writable.Broadcast()
	c.out.mu.Unlock()

	h.mu.Lock()
	h.readReset = true
	h.readable.Broadcast()
	h.mu.Unlock()
}

// takeError returns the errno of an RST the first time.
func (c *Conn) takeError() syscall.Errno { return syscall.Errno(c.errno.Swap(0)) }
