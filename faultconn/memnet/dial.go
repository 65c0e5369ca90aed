package memnet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// connectTimeout is how long Linux sends a SYN again before it gives up
// (tcp_syn_retries is 6).
const connectTimeout = 127 * time.Second

// A dial is the opening of one connection.
type dial struct {
	net      *Network
	ctx      context.Context
	from, to *Host
	key      netip.AddrPort
	giveUp   time.Time
}

// DialContext is [Host.Dial] with a context, which ends only the dialling, not
// the connection.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, port, err := h.net.resolve(h, network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	d := &dial{net: h.net, ctx: ctx, from: h, to: to, key: netip.AddrPortFrom(to.ip, port), giveUp: time.Now().Add(connectTimeout)}
	c, err := d.connect(network)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: to.addr(port), Err: err}
	}
	return c, nil
}

// connect is TCP's handshake: a packet there, one back, and a last one there
// that nobody waits for.
func (d *dial) connect(network string) (*Conn, error) {
	if err := d.ctx.Err(); err != nil {
		return nil, contextError(err)
	}
	if err := d.hop(d.from, d.to); err != nil {
		return nil, err
	}
	l, err := d.knock()
	if err != nil {
		return nil, err
	}
	if err := d.hop(d.to, d.from); err != nil {
		if l != nil {
			l.put(nil)
		}
		return nil, err
	}
	if l == nil {
		return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
	}
	n := d.net
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		l.put(nil)
		return nil, net.ErrClosed
	}
	port := d.from.freePort()
	if port == 0 {
		n.mu.Unlock()
		l.put(nil)
		return nil, os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)
	}
	there, back := n.path(d.from, d.to), n.path(d.to, d.from)
	p := newPair(network, d.from.addr(port), l.addr, n.buffer(), there, back)
	p.forget = n.forget
	n.pairs[p] = struct{}{}
	n.mu.Unlock()
	if there.Latency > 0 {
		time.AfterFunc(there.Latency, func() { l.put(&p.ends[1]) })
	} else {
		l.put(&p.ends[1])
	}
	return &p.ends[0], nil
}

// knock finds the listener and takes a place in its queue; nil if nothing
// listens.
func (d *dial) knock() (*listener, error) {
	for {
		d.net.mu.Lock()
		l, changed := d.net.ports[d.key], d.net.changed
		d.net.mu.Unlock()
		if l == nil {
			return nil, nil
		}
		switch ok, refused := l.admit(d.net.backlog()); {
		case refused:
			return nil, nil
		case ok:
			return l, nil
		}
		err := d.wait(changed)
		l.gaveUp()
		if err != nil {
			return nil, err
		}
	}
}

// hop takes a packet across a link.
func (d *dial) hop(from, to *Host) error {
	for {
		d.net.mu.Lock()
		closed, changed, p := d.net.closed, d.net.changed, d.net.path(from, to)
		d.net.mu.Unlock()
		switch {
		case closed:
			return net.ErrClosed
		case p.gate != open:
			if err := d.wait(changed); err != nil {
				return err
			}
		case p.Latency > 0:
			return d.sleep(p.Latency)
		default:
			return nil
		}
	}
}

// wait waits for a change.
func (d *dial) wait(changed <-chan struct{}) error {
	t := time.NewTimer(time.Until(d.giveUp))
	defer t.Stop()
	select {
	case <-changed:
		return nil
	case <-d.ctx.Done():
		return contextError(d.ctx.Err())
	case <-t.C:
		return os.NewSyscallError("connect", syscall.ETIMEDOUT)
	}
}

func (d *dial) sleep(latency time.Duration) error {
	left := time.Until(d.giveUp)
	t := time.NewTimer(min(latency, left))
	defer t.Stop()
	select {
	case <-d.ctx.Done():
		return contextError(d.ctx.Err())
	case <-t.C:
	}
	if left < latency {
		return os.NewSyscallError("connect", syscall.ETIMEDOUT)
	}
	return nil
}
