package faultconn

import (
	"errors"
	"net"
	"os"
	"slices"
	"time"
)

func (c *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	if arms := c.arms.Load(); c.inj.plan.Load() == nil && c.queued.Load() == 0 {
		n, addr, err := c.PacketConn.ReadFrom(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && c.arms.Load() != arms: // perhaps not the user's
		case err != nil || c.inj.plan.Load() == nil:
			return n, addr, err
		default:
			packets, err := c.judge(OpRead, b[:n], addr)
			if err != nil {
				return 0, addr, err
			}
			if err := c.enqueue(packets); err != nil {
				return 0, addr, err
			}
		}
	}
	c.turn <- struct{}{} // whoever has it obeys the same deadline and Close
	defer func() { <-c.turn }()
	for {
		if p, ok, err := c.next(); err != nil {
			return 0, nil, err
		} else if ok {
			return copy(b, p.data), p.addr, nil
		}
		if c.buf == nil {
			c.buf = make([]byte, 64<<10)
		}
		n, addr, err := c.PacketConn.ReadFrom(c.buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue // the user's, or that of the next packet in the queue
		}
		if err != nil {
			return 0, addr, err
		}
		packets, err := c.judge(OpRead, c.buf[:n], addr)
		if err != nil {
			return 0, addr, err
		}
		if err := c.enqueue(packets); err != nil {
			return 0, addr, err
		}
	}
}

// enqueue keeps packets of its own until they are due, which wakes the ReadFrom
// that has the turn.
func (c *packetConn) enqueue(packets []packet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range packets {
		p.data = slices.Clone(p.data)
		at, _ := slices.BinarySearchFunc(c.queue, p, func(q, p packet) int {
			if q.due.After(p.due) {
				return 1
			}
			return -1 // behind those that are due at the same time
		})
		c.queue = slices.Insert(c.queue, at, p)
	}
	c.queued.Store(int32(len(c.queue)))
	return c.arm()
}

// next returns the packet that is due. If there is none it lets the wrapped
// connection wait no longer than until there is.
func (c *packetConn) next() (p packet, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch {
	case c.closed:
		return packet{}, false, c.fail(net.ErrClosed)
	case !c.deadline.IsZero() && !now.Before(c.deadline):
		return packet{}, false, c.fail(os.ErrDeadlineExceeded)
	case len(c.queue) > 0 && !now.Before(c.queue[0].due):
		p = c.queue[0]
		c.queue = c.queue[1:]
		c.queued.Store(int32(len(c.queue)))
		return p, true, c.arm()
	}
	return packet{}, false, c.arm()
}

func (c *packetConn) fail(err error) error {
	return opError("read", c.LocalAddr().Network(), c.LocalAddr(), nil, err)
}

// arm gives the wrapped connection the user's deadline, or that of the queue if
// it is earlier. c.mu is held.
func (c *packetConn) arm() error {
	t := c.deadline
	if len(c.queue) > 0 && (t.IsZero() || c.queue[0].due.Before(t)) {
		t = c.queue[0].due
		c.arms.Add(1)
	}
	return c.PacketConn.SetReadDeadline(t)
}
