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
	over     bool     // both legs are closed or being closed
	why      error    // what ended the connection, unless both sides closed it

	ended  atomic.Bool
	cancel context.CancelFunc // of the dial; nil after it
	done   chan struct{}      // closed once the connection is to end at once
	failed chan struct{}      // closed once a direction has failed to write
	fails  sync.Once
	flows  atomic.Int32 // directions that have not ended
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
func (c *Conn) Reset() { c.end(true, errReset) }

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

// end closes both legs, at once.
func (c *Conn) end(rst bool, why error) {
	c.mu.Lock()
	if c.why == nil {
		c.why = why
	}
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

// run connects to the upstream and starts both directions. It is called in a
// goroutine of its own, which dialling leaves with a large stack: that is not
// kept for the life of the connection.
func (c *Conn) run(ctx context.Context, cancel context.CancelFunc) {
	upstream, err := c.proxy.dial(ctx)
	cancel()
	if err != nil {
		c.end(true, err)
		c.finish(DialFailed)
		return
	}
	c.mu.Lock()
	c.upstream, c.cancel = upstream, nil
	over := c.over
	c.mu.Unlock()
	if over { // Reset or Close while dialling
		abort(upstream)
		c.finish(Broken)
		return
	}
	c.proxy.emit(Opened, c, nil)
	c.up.src, c.up.dst = c.client, upstream
	c.down.src, c.down.dst = upstream, c.client
	c.flows.Store(2)
	go c.copy(&c.up, &c.down)
	go c.copy(&c.down, &c.up)
}

func (c *Conn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// finish tells how the connection has ended: by itself, by command, or by
// failing in the given way. It is the last that is done.
func (c *Conn) finish(kind EventKind) {
	defer c.proxy.ended(c)
	c.ended.Store(true)
	switch err := c.reason(); err {
	case nil:
		c.proxy.emit(Closed, c, nil)
	case errReset, errClosed:
		c.proxy.emit(Broken, c, err)
	default:
		c.proxy.emit(kind, c, err)
	}
}

// copy runs one direction, and ends the other if it breaks. It is called in a
// goroutine of its own, and the one that is done last ends the connection.
func (c *Conn) copy(f, back *flow) {
	b := f.run(back, &c.proxy.pool, c.done, c.failed)
	switch {
	case b == nil:
	case b.write:
		// What the peer sent before it died is to arrive before the RST.
		c.mu.Lock()
		if c.why == nil {
			c.why = b.err
		}
		c.mu.Unlock()
		back.wasReset.Store(errors.Is(b.err, syscall.ECONNRESET))
		back.dying.Store(true)
		c.fails.Do(func() { close(c.failed) })
		_ = f.dst.SetReadDeadline(time.Now().Add(grace))
	case b.err == io.EOF:
		c.end(false, nil)
	default:
		c.end(true, b.err)
	}
	if c.flows.Add(-1) == 0 {
		c.end(c.reason() != nil, nil)
		c.finish(Broken)
	}
}
