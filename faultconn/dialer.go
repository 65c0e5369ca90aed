package faultconn

import (
	"context"
	"net"
	"time"

	"github.com/brownout-go/brownout/internal/behalf"
)

// Dialer wraps a dial function; nil is that of a zero [net.Dialer]. The result
// fits http.Transport.DialContext, memcache.Client.DialContext, pgconn.DialFunc
// and their like. The connections it makes are known to plans by the point.
//
// Rules strike the dial itself as an OpDial, before the wrapped function is
// called: it can be delayed, hang until its context ends, or fail. A Reset or
// Close there breaks the connection as soon as it has been made.
//
// Where package proxy dials, rules and events know the client that it dials for.
func (i *Injector) Dialer(point string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	p := i.point(point)
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		id := p.identity(addr, false)
		id.client = behalf.From(ctx)
		var v *view
		var h hold
		if plan := i.plan.Load(); plan != nil {
			v = newView(plan, id, nil)
			d := v.decide(OpDial, nil)
			i.emit(d.events)
			h = d.hold(time.Time{})
			if err := i.holdDial(ctx, &h); err != nil {
				v.stop()
				return nil, dialError(network, addr, err)
			}
		}
		inner, err := dial(ctx, network, addr)
		if err != nil {
			v.stop()
			return nil, err
		}
		c := i.wrap(inner, id, v)
		unwrap(c).breaks(h.effect)
		return c, nil
	}
}

// holdDial performs what comes before the dial: a wait, a failure.
func (i *Injector) holdDial(ctx context.Context, h *hold) error {
	if h.waits() {
		var g gate
		if g.wait(i, h, ctx.Done(), nil) == ended {
			return interrupted(ctx)
		}
	}
	return h.effect.Err
}
