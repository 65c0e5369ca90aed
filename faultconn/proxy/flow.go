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

func (b *buffers) put(tier int, p *[]byte) { b[tier-1].Put(p) }

// A flow is one direction of a connection.
type flow struct {
	src, dst net.Conn
	gate     gate
	bytes    atomic.Int64
	last     atomic.Int64 // when bytes last passed, in Unix nanoseconds
	eof      atomic.Bool  // src has ended its stream

	// What is read into: small, or a buffer of the pool.
	small  [256]byte
	tier   int       // of sizes
	pooled *[]byte   // nil at tier 0
	until  time.Time // read deadline while a pooled buffer is held

	// What the other direction, by failing to write to src, has found out.
	dying    atomic.Bool // src is dead; what it sent before is to be saved
	wasReset atomic.Bool // before its FIN
}

// broken is how a flow ends other than by the end of its stream.
type broken struct {
	write bool // it was writing to dst that failed, not reading from src
	err   error
}

// run copies until the stream ends, and begins with n bytes that are in the
// buffer and the error that came with them; done ends it early. failed is closed
// once a direction has failed to write.
//
// A quiet connection waits in Read here for most of its life, on a stack of 2 KiB
// as long as the deepest call, Write, fits in. So what is not needed for that is
// in functions of its own.
func (f *flow) run(n int, err error, back *flow, pool *buffers, done, failed <-chan struct{}) *broken {
	defer f.shrink(pool)
	for {
		if n > 0 {
			if !f.gate.pass(done) {
				return &broken{err: net.ErrClosed}
			}
			w, err := f.dst.Write(f.buffer()[:n])
			f.count(w)
			if err != nil {
				return &broken{write: true, err: err}
			}
		}
		switch {
		case err == nil:
			f.grow(n, pool)
		case f.isQuiet(err):
			if err := f.rest(pool); err != nil {
				return &broken{err: err}
			}
		case err == io.EOF:
			return f.end(back, done, failed)
		default:
			return &broken{err: err}
		}
		if err := f.prolong(); err != nil {
			return &broken{err: err}
		}
		n, err = f.src.Read(f.buffer())
	}
}

func (f *flow) buffer() []byte {
	if f.pooled != nil {
		return *f.pooled
	}
	return f.small[:]
}

//go:noinline
func (f *flow) count(n int) {
	if n > 0 {
		f.bytes.Add(int64(n))
		f.last.Store(time.Now().UnixNano())
	}
}

// grow takes a larger buffer if the one there is has been filled, with n bytes,
// and keeps those. It reports false if there is no larger one.
func (f *flow) grow(n int, pool *buffers) bool {
	if n < sizes[f.tier] {
		return true
	}
	if f.tier == len(sizes)-1 {
		return false
	}
	tier, next := f.tier+1, pool.get(f.tier+1)
	copy(*next, f.buffer()[:n])
	f.shrink(pool)
	f.tier, f.pooled = tier, next
	return true
}

// shrink gives the buffer back to the pool.
func (f *flow) shrink(pool *buffers) {
	if f.pooled != nil {
		pool.put(f.tier, f.pooled)
		f.tier, f.pooled = 0, nil
	}
}

// prolong has Read return after a while in which nothing comes, if there is a
// buffer to give back then.
func (f *flow) prolong() error {
	if f.pooled == nil || f.dying.Load() {
		return nil
	}
	if now := time.Now(); f.until.Sub(now) < quiet/2 {
		f.until = now.Add(quiet)
		return f.src.SetReadDeadline(f.until)
	}
	return nil
}

// isQuiet reports whether a read has failed because of prolong's deadline.
func (f *flow) isQuiet(err error) bool {
	return f.pooled != nil && errors.Is(err, os.ErrDeadlineExceeded) && !f.dying.Load() && !time.Now().Before(f.until)
}

// rest goes back to the small buffer, to read without a deadline.
func (f *flow) rest(pool *buffers) error {
	f.shrink(pool)
	f.until = time.Time{}
	return f.unlimit()
}

// unlimit has reads wait for as long as it takes.
func (f *flow) unlimit() error {
	if err := f.src.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	if f.dying.Load() { // since then; the deadline just cleared was not ours
		_ = f.src.SetReadDeadline(time.Now().Add(grace))
	}
	return nil
}

// end passes the end of the stream on, if it is one.
func (f *flow) end(back *flow, done, failed <-chan struct{}) *broken {
	if f.isReset(back, failed) {
		return &broken{err: syscall.ECONNRESET}
	}
	f.eof.Store(true)
	if !f.gate.pass(done) {
		return &broken{err: net.ErrClosed}
	}
	return f.finish()
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

// finish tells dst that the stream has ended.
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
