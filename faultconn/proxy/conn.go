package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/brownout-go/brownout/internal/behalf"
)

// Conn is a connection through a proxy. Its methods may be called from any
// goroutine, do not wait for traffic, and do nothing once it has ended.
type Conn struct {
	proxy  *Proxy
	id     uint64
	opened time.Time
	client net.Conn
	up     flow
	down   flow
	behalf behalf.Client

	mu       sync.Mutex
	upstream net.Conn // nil while dialling
	ahead    bool     // more is read from the client than can be sent yet
	over     bool     // both legs are closed or being closed
	kind     EventKind
	why      error // what ended the connection, with kind; nil if both sides closed it

	ended  atomic.Bool
	cancel context.CancelFunc // of the dial; nil after it
	done   chan struct{}      // closed once the connection is to end at once
	failed chan struct{}      // closed once a direction has failed to write
	fails  sync.Once
	flows  atomic.Int32 // directions that have not ended, or begun
}

// Info returns what is known of the connection now.
func (c *Conn) Info() Info {
	c.mu.Lock()
	upstream := c.upstream
	c.mu.Unlock()
	address := c.proxy.Upstream
	if upstream != nil {
		if a := upstream.RemoteAddr(); a != nil && a.String() != "" {
			address = a.String()
		}
	}
	i := Info{
		ID: c.id, Client: c.behalf.Addr, Upstream: address,
		Opened: c.opened, Active: c.opened, State: Open,
		Up: c.up.bytes.Load(), Down: c.down.bytes.Load(), Faults: c.behalf.Faults.Load(),
		HeldUp: c.up.gate.shut.Load(), HeldDown: c.down.gate.shut.Load(),
	}
	if last := max(c.up.last.Load(), c.down.last.Load()); last > 0 {
		i.Active = time.Unix(0, last)
	}
	switch up, down := c.up.eof.Load(), c.down.eof.Load(); {
	case c.ended.Load(), up && down:
		i.State = Ended
	case upstream == nil:
		i.State = Dialing
	case up:
		i.State = ClientClosed
	case down:
		i.State = UpstreamClosed
	}
	return i
}

// Reset ends the connection with an RST to both sides, be it idle, held or
// still dialling.
func (c *Conn) Reset() {
	c.blame(Broken, errReset)
	c.end(true)
}

// Hold stops one direction: bytes, and the end of the stream, wait in the
// proxy and then in the buffers of the network, until the sender blocks.
func (c *Conn) Hold(d Direction) { c.flow(d).gate.hold() }

// Release ends Hold. What was held follows in order.
func (c *Conn) Release(d Direction) { c.flow(d).gate.release() }

// Step lets one chunk through that is held, as much as came in with one read,
// or the next one to come.
func (c *Conn) Step(d Direction) { c.flow(d).gate.step() }

func (c *Conn) flow(d Direction) *flow {
	if d == Down {
		return &c.down
	}
	return &c.up
}

// blame notes what ends the connection. Whoever says so first is right: the rest
// are consequences.
func (c *Conn) blame(kind EventKind, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kind == "" {
		c.kind, c.why = kind, why
	}
}

func (c *Conn) verdict() (kind EventKind, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kind == "" {
		return Closed, nil
	}
	return c.kind, c.why
}

// end closes both legs, at once.
func (c *Conn) end(rst bool) {
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.over = true
	upstream, cancel := c.upstream, c.cancel
	c.mu.Unlock()
	close(c.done)
	if cancel != nil {
		cancel()
	}
	closing := abort
	if !rst {
		closing = func(c net.Conn) { _ = c.Close() }
	}
	closing(c.client)
	if upstream != nil {
		closing(upstream)
	}
}

// run dials the upstream and starts both directions. It is called in a
// goroutine of its own, which dialling leaves with a large stack: that is not
// kept for the life of the connection.
func (c *Conn) run(ctx context.Context, cancel context.CancelFunc) {
	c.flows.Store(2)
	watch := time.AfterFunc(patience, func() { c.early(ctx) })
	upstream, err := c.proxy.dial(ctx)
	begun := !watch.Stop() // early has begun the direction up
	ok := c.connect(upstream, err)
	if ok {
		c.proxy.emit(Opened, c, nil)
	}
	cancel()
	if !ok {
		if !begun {
			c.leave()
		}
		c.leave()
		return
	}
	if !begun {
		go c.copy(&c.up, &c.down, 0, nil)
	}
	go c.copy(&c.down, &c.up, 0, nil)
}

// connect takes what dialling has returned. It reports whether the connection
// can go on.
func (c *Conn) connect(upstream net.Conn, err error) bool {
	if err != nil {
		c.blame(DialFailed, err)
		c.end(true)
		return false
	}
	c.mu.Lock()
	over, ahead := c.over, c.ahead
	if !over {
		c.upstream, c.cancel = upstream, nil
		c.up.dst, c.down.src = upstream, upstream
	}
	c.mu.Unlock()
	if over { // while dialling
		abort(upstream)
		return false
	}
	if ahead {
		if err := c.client.SetReadDeadline(time.Unix(1, 0)); err != nil {
			c.blame(Broken, err)
			c.end(true)
			return false
		}
	}
	return true
}

// copy runs one direction from what has been read of it, and ends the other if
// it breaks. It is called in a goroutine of its own.
func (c *Conn) copy(f, back *flow, n int, err error) {
	b := f.run(n, err, back, &c.proxy.pool, c.done, c.failed)
	switch {
	case b == nil:
	case b.write:
		// What the peer sent before it died is to arrive before the RST.
		c.blame(Broken, b.err)
		back.wasReset.Store(errors.Is(b.err, syscall.ECONNRESET))
		back.dying.Store(true)
		c.fails.Do(func() { close(c.failed) })
		_ = f.dst.SetReadDeadline(time.Now().Add(grace))
	case b.err == io.EOF:
		c.blame(Closed, nil)
		c.end(false)
	default:
		c.blame(Broken, b.err)
		c.end(true)
	}
	c.leave()
}

// leave is called once for each direction. The last to leave ends the
// connection and tells how it has ended: by itself, by command or by failing.
func (c *Conn) leave() {
	if c.flows.Add(-1) > 0 {
		return
	}
	defer c.proxy.ended(c)
	kind, why := c.verdict()
	c.end(kind != Closed)
	c.ended.Store(true)
	c.proxy.emit(kind, c, why)
}
