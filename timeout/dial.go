package timeout

import (
	"context"
	"errors"
	"net"
	"time"
)

// DialContext returns a dial function that connects with next, in at most
// BackendConfig.Dial and what the budget of its context has left, and returns connections
// limited by [Backend.Conn]. A nil next is a zero net.Dialer's DialContext. It has the
// type that http.Transport, gomemcache, go-redis, pgx and most others take; it neither
// takes a slot nor asks the breaker, because the call that it is part of does.
//
// next must honour its context.
func (b *Backend) DialContext(next func(ctx context.Context, network, addr string) (net.Conn, error)) func(ctx context.Context, network, addr string) (net.Conn, error) {
	if next == nil {
		next = new(net.Dialer).DialContext
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		start := time.Now()
		limit := b.afford(ctx, b.config.Dial)
		if limit <= 0 {
			if err := ctx.Err(); errors.Is(err, context.Canceled) {
				return nil, err
			}
			return nil, b.meet(b.fail(ReasonBudget, limit, 0, nil))
		}
		dialing, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		conn, err := next(dialing, network, addr)
		if err != nil {
			if elapsed := time.Since(start); elapsed >= limit || errors.Is(dialing.Err(), context.DeadlineExceeded) {
				err = b.meet(b.fail(ReasonDial, limit, elapsed, err))
			}
			return nil, err
		}
		return b.Conn(conn), nil
	}
}
