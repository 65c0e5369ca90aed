package faultconn

import (
	"context"
	"net"
	"time"
)

// Dialer wraps a dial function; nil is that of a zero [net.Dialer]. The result
// fits http.Transport.DialContext, memcache.Client.DialContext, pgconn.DialFunc
// and their like. The connections it makes are known to plans by the point.
//
// Rules strike the dial itself as an OpDial, before the wrapped function is
// called: it can be delayed, hang until its context ends, or fail. A Reset or
// Close there breaks the connection as soon as it has been made.
func (i *Injector) Dialer(point string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	p := i.point(point)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		id := p.identity(addr, false)
		var v *view
		var e Effect
		if plan := i.plan.Load(); plan != nil {
			v = newView(plan, id)
			d := v.decide(OpDial, nil)
			i.emit(d.events)
			e = d.effect
			if err := holdDial(ctx, v, e); err != nil {
				v.stop()
				return nil, dialError(network, addr, err)
			}
		}
		inner, err := dial(ctx, network, addr)
		if err != nil {
			if v != nil {
				v.stop()
			}
			return nil, err
		}
		c := i.wrap(inner, id, v)
		if e.Reset || e.Close {
			unwrap(c).breaks(e)
		}
		return c, nil
	}
}

// holdDial performs what comes before the dial: a wait, a failure.
func holdDial(ctx context.Context, v *view, e Effect) error {
	if e.Delay > 0 || e.Hang {
		var fire <-chan time.Time
		if !e.Hang {
			t := time.NewTimer(e.Delay)
			defer t.Stop()
			fire = t.C
		}
		changed := v.handover.watch()
		defer v.handover.unwatch(changed)
		select {
		case <-fire:
		case <-changed:
			return nil
		case <-ctx.Done():
			return interrupted(ctx)
		}
	}
	return e.Err
}
