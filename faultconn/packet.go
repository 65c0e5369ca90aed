package faultconn

import (
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// PacketConn wraps a packet connection: what is struck are packets, each of
// which is one operation. The point is the name plans know it by.
//
// A delayed packet does not hold up the others, so that delays of different
// length reorder them. Discard and Hang lose the packet, Replace changes its
// bytes, Copies sends it again, Err fails the call. There is nothing to reset or
// close. Packets under way keep their delays when the plan changes. For
// connected UDP sockets too use this rather than [Injector.Conn], which knows no
// packets. The optional methods of *net.UDPConn are not offered.
//
// Close waits for packets that are being sent and loses those that are delayed.
func (i *Injector) PacketConn(point string, c net.PacketConn) net.PacketConn {
	return &packetConn{PacketConn: c, inj: i, id: i.point(point).identity("", false), turn: make(chan struct{}, 1)}
}

type packetConn struct {
	net.PacketConn
	inj *Injector
	id  *identity

	turn   chan struct{} // holds one value while a ReadFrom has it
	queued atomic.Int32  // len(queue)
	arms   atomic.Int64  // how often the queue has set the wrapped connection's deadline
	buf    []byte        // with the turn

	mu       sync.Mutex
	view     *view
	deadline time.Time // for reads, as the user set it
	queue    []packet  // received, to be returned in the order of due
	sending  map[*time.Timer]struct{}
	senders  sync.WaitGroup
	closed   bool
}

type packet struct {
	data []byte
	addr net.Addr
	due  time.Time
}

// judge returns the packets that come out of one, and what the call fails with.
func (c *packetConn) judge(k OpKind, b []byte, addr net.Addr) ([]packet, error) {
	packets, events, err := c.decide(k, b, addr)
	c.inj.emit(events)
	return packets, err
}

func (c *packetConn) decide(k OpKind, b []byte, addr net.Addr) (packets []packet, events []Event, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.inj.plan.Load()
	if p == nil || c.closed {
		return []packet{{b, addr, time.Time{}}}, nil, nil
	}
	if c.view == nil || c.view.compiled != p {
		c.view = newView(p, c.id, c.view)
	}
	v := c.view
	v.call(k)
	v.packet = len(b)
	var (
		data   []byte
		due    time.Time
		copies int
		lost   bool
	)
	for rest := b; len(rest) > 0; {
		d := v.decide(k, rest)
		events = append(events, d.events...)
		e, n := d.effect, max(d.n, 1)
		if e.Err != nil {
			return nil, events, opError(string(k), c.LocalAddr().Network(), c.LocalAddr(), addr, e.Err)
		}
		if e.Replace {
			data = append(data, e.With...)
		} else {
			data = append(data, rest[:n]...)
		}
		lost = lost || e.Discard || e.Hang
		copies += e.Copies
		if t := e.Latency + e.Delay; t > 0 {
			due = later(due, time.Now().Add(t))
		}
		if d.rate != nil {
			due = later(due, d.rate.take(n, e.Rate))
		}
		v.advance(k, rest[:n])
		rest = rest[n:]
	}
	if lost {
		return nil, events, nil
	}
	return slices.Repeat([]packet{{data, addr, due}}, 1+copies), events, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (c *packetConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	if c.inj.plan.Load() == nil || len(b) == 0 {
		return c.PacketConn.WriteTo(b, addr)
	}
	packets, err := c.judge(OpWrite, b, addr)
	if err != nil {
		return 0, err
	}
	for _, p := range packets {
		if wait := time.Until(p.due); wait > 0 {
			c.send(p, wait)
		} else if _, err := c.PacketConn.WriteTo(p.data, addr); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// send sends a packet later.
func (c *packetConn) send(p packet, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	if c.sending == nil {
		c.sending = map[*time.Timer]struct{}{}
	}
	c.senders.Add(1)
	var t *time.Timer
	t = time.AfterFunc(wait, func() {
		defer c.senders.Done()
		c.mu.Lock()
		delete(c.sending, t)
		c.mu.Unlock()
		_, _ = c.PacketConn.WriteTo(p.data, p.addr) // lost, as packets are
	})
	c.sending[t] = struct{}{}
}

func (c *packetConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.arm()
}

func (c *packetConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

func (c *packetConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.view.stop()
	for t := range c.sending {
		if t.Stop() {
			c.senders.Done()
		}
	}
	c.sending = nil
	c.mu.Unlock()
	err := c.PacketConn.Close()
	c.senders.Wait()
	return err
}
