package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// quiet is how long a direction keeps a buffer of the pool with nothing to
	// put into it.
	quiet = time.Second
	// grace is how long the rest of what a dead peer has sent may take to pass.
	grace = time.Second
)

// sizes of the buffers in the order in which a direction moves to them when it
// fills the one before.
var sizes = [...]int{256, 16 << 10, 128 << 10}

// buffers are the pools for sizes[1] and sizes[2].
type buffers [len(sizes) - 1]sync.Pool

func (b *buffers) get(tier int) *[]byte {
	if p, ok := b[tier-1].Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, sizes[tier])
	return &p
}

func (b *buffers) put(tier int, p *[]byte) {
	if p != nil {
		b[tier-1].Put(p)
	}
}

// A flow is one direction of a connection.
type flow struct {
	src, dst net.Conn
	gate     gate
	bytes    atomic.Int64
	last     atomic.Int64 // when bytes last passed, in Unix nanoseconds
	eof      atomic.Bool  // src has ended its stream
	small    [256]byte

	// What the other direction, by failing to write to src, has found out.
	dying    atomic.Bool // src is dead; what it sent before is to be saved
	wasReset atomic.Bool // before its FIN
}

// broken is how a flow ends other than by the end of its stream.
type broken struct {
	write bool // it was writing to dst that failed, not reading from src
	err   error
}

// run copies until the stream ends; done ends it early. failed is closed once
// a direction has failed to write.
func (f *flow) run(back *flow, pool *buffers, done, failed <-chan struct{}) *broken {
	var (
		tier   int
		buf    = f.small[:]
		pooled *[]byte
		until  time.Time // read deadline while a pooled buffer is held
	)
	defer func() { pool.put(max(tier, 1), pooled) }()
	for {
		if tier > 0 && !f.dying.Load() {
			if now := time.Now(); until.Sub(now) < quiet/2 {
				until = now.Add(quiet)
				if err := f.src.SetReadDeadline(until); err != nil {
					return &broken{err: err}
				}
			}
		}
		n, err := f.src.Read(buf)
		if n > 0 {
			if !f.gate.pass(done) {
				return &broken{err: net.ErrClosed}
			}
			w, err := f.dst.Write(buf[:n])
			if w > 0 {
				f.bytes.Add(int64(w))
				f.last.Store(time.Now().UnixNano())
			}
			if err != nil {
				return &broken{write: true, err: err}
			}
		}
		switch {
		case err == nil:
			if n == len(buf) && tier < len(sizes)-1 {
				pool.put(max(tier, 1), pooled)
				tier++
				pooled = pool.get(tier)
				buf = *pooled
			}
		case err == io.EOF:
			if f.isReset(back, failed) {
				return &broken{err: syscall.ECONNRESET}
			}
			f.eof.Store(true)
			if !f.gate.pass(done) {
				return &broken{err: net.ErrClosed}
			}
			return f.finish()
		case errors.Is(err, os.ErrDeadlineExceeded) && tier > 0 && !f.dying.Load() && !time.Now().Before(until):
			pool.put(tier, pooled)
			tier, pooled, buf = 0, nil, f.small[:]
			until = time.Time{}
			if err := f.src.SetReadDeadline(until); err != nil {
				return &broken{err: err}
			}
			if f.dying.Load() { // since then; the deadline just cleared was not ours
				_ = f.src.SetReadDeadline(time.Now().Add(grace))
			}
		default:
			return &broken{err: err}
		}
	}
}

// isReset tells an end of stream that is none: an RST is reported once, and if
// that was to a write of the other direction, reads find just the end.
func (f *flow) isReset(back *flow, failed <-chan struct{}) bool {
	if f.dying.Load() {
		return f.wasReset.Load()
	}
	r, ok := f.src.(interface{ CloseRead() error })
	if !ok || back.eof.Load() || r.CloseRead() == nil {
		return false
	}
	// The socket is not connected any more. Either both directions have ended,
	// or a write is about to fail, or has just done so.
	tick := time.NewTicker(grace / 100)
	defer tick.Stop()
	for range 10 {
		select {
		case <-failed:
			return f.wasReset.Load()
		case <-tick.C:
		}
		if back.eof.Load() {
			return false
		}
	}
	return false
}

// finish passes the end of the stream on.
func (f *flow) finish() *broken {
	w, ok := f.dst.(interface{ CloseWrite() error })
	if !ok {
		// Nothing but a whole Close can tell dst.
		return &broken{err: io.EOF}
	}
	if err := w.CloseWrite(); err != nil {
		return &broken{write: true, err: err}
	}
	return nil
}

// abort closes with an RST where the connection, or one that it wraps, can
// send one.
func abort(c net.Conn) {
	for inner := c; ; {
		if l, ok := inner.(interface{ SetLinger(sec int) error }); ok {
			_ = l.SetLinger(0)
			_ = inner.Close()
			break
		}
		n, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = n.NetConn()
	}
	_ = c.Close()
}
