package memcachestore

import (
	"context"
	"net"
	"time"
)

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// own makes ctx the context of the call under way; context.Background when
// there is none.
func (s *server) own(ctx context.Context) {
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
}

// interrupt ends what the call of ctx waits for on its connection.
func (s *server) interrupt(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == ctx && s.conn != nil { // not the next call
		_ = s.conn.SetDeadline(past)
	}
}

// dialContext is what gomemcache dials with. The context it is given knows only
// the timeout; the call's own may end earlier.
func (s *server) dialContext(_ context.Context, network, address string) (net.Conn, error) {
	s.dials++
	own, cancel := context.WithTimeout(s.ctx, s.timeout)
	defer cancel()
	c, err := s.dial(own, network, address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.conn = c
	s.mu.Unlock()
	return &conn{Conn: c, server: s}, nil
}

// conn never lets gomemcache set a deadline later than the call's context has.
type conn struct {
	net.Conn
	server *server
}

func (c *conn) SetDeadline(t time.Time) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	ctx := c.server.ctx
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(t) {
		t = deadline
	}
	if ctx.Err() != nil {
		t = past
	}
	return c.Conn.SetDeadline(t)
}
