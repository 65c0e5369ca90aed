package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// patience is how long a dial may take before its client is watched. Most end
// sooner, and cost no more than a timer.
const patience = 100 * time.Millisecond

// early begins the direction up while the upstream is still being dialled. It
// reads ahead what a buffer takes, and ends the dial for a client that has
// left. It is called in a goroutine of its own, with the context that ends when
// dialling has.
func (c *Conn) early(ctx context.Context) {
	f, pool := &c.up, &c.proxy.pool
	// Nothing waits to be sent during the first read, so it may outlast the
	// dial: interrupting it could break a handshake of TLS.
	n, err := f.src.Read(f.buffer())
	for err == nil && c.readAhead() && f.grow(n, pool) {
		var m int
		m, err = f.src.Read(f.buffer()[n:])
		n += m
	}
	halfClosed := n > 0 && err == io.EOF
	if err != nil && !halfClosed && c.dialling() {
		c.blame(Broken, fmt.Errorf("the client left while the upstream was being dialled: %w", err))
		c.end(true)
	}
	<-ctx.Done()
	c.mu.Lock()
	over, ahead := c.over, c.ahead
	c.mu.Unlock()
	if over {
		f.shrink(pool)
		c.leave()
		return
	}
	if ahead {
		if errors.Is(err, os.ErrDeadlineExceeded) { // connect interrupted reading
			err = nil
		}
		if e := f.unlimit(); err == nil {
			err = e
		}
	}
	c.copy(f, &c.down, n, err)
}

// readAhead reports whether to read on with bytes waiting to be sent. If it has
// done so once, connect interrupts reading.
func (c *Conn) readAhead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ok := c.upstream == nil && !c.over
	c.ahead = c.ahead || ok
	return ok
}

func (c *Conn) dialling() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.upstream == nil && !c.over
}
