package memcachestore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/backoff"
)

// server is one memcached. gomemcache knows no contexts, so calls take turns:
// the connection that a call uses is then known, and the end of the call's
// context can interrupt it.
type server struct {
	addr    addr
	timeout time.Duration
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	client  *memcache.Client
	turn    chan struct{} // holds a token while a call is under way

	// The rest belongs to the call under way.
	closed bool
	dials  int

	mu   sync.Mutex // never held while anything waits
	ctx  context.Context
	conn net.Conn // the last one dialed: gomemcache keeps no other
}

// selector makes gomemcache use the one server for every key.
type selector struct{ addr net.Addr }

func (s selector) PickServer(string) (net.Addr, error) { return s.addr, nil }
func (s selector) Each(f func(net.Addr) error) error   { return f(s.addr) }

func newServer(a addr, timeout time.Duration, dial func(context.Context, string, string) (net.Conn, error)) *server {
	s := &server{addr: a, timeout: timeout, dial: dial, turn: make(chan struct{}, 1), ctx: context.Background()}
	s.client = memcache.NewFromSelector(selector{a})
	s.client.Timeout = timeout
	s.client.MaxIdleConns = 1
	s.client.DialContext = s.dialContext
	return s
}

func (s *server) get(ctx context.Context, key string, f form) (v backoff.Value, err error) {
	err = s.do(ctx, "get", func(c *memcache.Client) error {
		// One command for both keys, so that they are of one moment.
		items, err := c.GetMulti([]string{key, key + extraSuffix})
		if err != nil {
			return err
		}
		v, err = decode(f, items[key], items[key+extraSuffix], time.Now())
		return err
	})
	return v, err
}

func (s *server) set(ctx context.Context, items items) error {
	return s.do(ctx, "set", func(c *memcache.Client) error {
		// The extras are understood only together with the interval that they
		// were written for, so this order never shows half a value.
		if items.extra != nil {
			if err := c.Set(items.extra); err != nil {
				return err
			}
			return c.Set(items.plain)
		}
		if err := c.Set(items.plain); err != nil {
			return err
		}
		return remove(c, items.plain.Key+extraSuffix)
	})
}

func (s *server) del(ctx context.Context, key string) error {
	return s.do(ctx, "del", func(c *memcache.Client) error {
		if err := remove(c, key); err != nil { // its JSON stays with it, and is not told of twice
			return err
		}
		return remove(c, key+extraSuffix)
	})
}

func remove(c *memcache.Client, key string) error {
	if err := c.Delete(key); !errors.Is(err, memcache.ErrCacheMiss) {
		return err
	}
	return nil
}

// do makes one call, on a fresh connection if the idle one has died.
func (s *server) do(ctx context.Context, op string, call func(*memcache.Client) error) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return s.explain(op, ctx.Err())
	}
	if s.closed {
		return s.explain(op, net.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return s.explain(op, err)
	}

	s.own(ctx)
	defer s.own(context.Background())
	defer context.AfterFunc(ctx, func() { s.interrupt(ctx) })()

	before := s.dials
	err := call(s.client)
	if err != nil && s.dials == before && ctx.Err() == nil && died(err) {
		err = call(s.client) // memcached was restarted since the last call
	}
	if err != nil && !known(err) {
		if over := expired(ctx); over != nil {
			err = over
		}
	}
	return s.explain(op, err)
}

// expired is ctx.Err, but does not need ctx's timer to have fired: the
// connection's deadline is the same instant and may be first.
func expired(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// died reports whether err is that of a connection the other side has closed.
func died(err error) bool {
	return !known(err) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// known reports whether err is memcached's answer rather than a failure to get
// one.
func known(err error) bool {
	return errors.Is(err, backoff.ErrNotSet) || errors.Is(err, backoff.ErrCorrupt) || errors.Is(err, memcache.ErrServerError)
}

// explain says what was done to whom. ErrNotSet is no failure and stays bare.
func (s *server) explain(op string, err error) error {
	var timeout *memcache.ConnectTimeoutError
	switch {
	case err == nil || err == backoff.ErrNotSet:
		return err
	case errors.As(err, &timeout):
		err = fmt.Errorf("connect: %w", os.ErrDeadlineExceeded) // gomemcache's does not unwrap
	}
	return fmt.Errorf("memcachestore: %s at %s: %w", op, s.addr, err)
}

func (s *server) close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.closed = true
	return s.client.Close()
}
