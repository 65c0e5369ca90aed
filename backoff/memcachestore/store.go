package memcachestore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/internal/memcachewire"
)

// Defaults of [Config]: those of the original tool, but for the timeout.
const (
	DefaultAddr    = "127.0.0.1:11211"
	DefaultKey     = "appsync:X-Sync-Poll"
	DefaultTimeout = 500 * time.Millisecond
)

// Config configures a [Store]. The zero Config is what the original tool uses.
type Config struct {
	// Addr is a memcached's host:port or the path of its Unix socket, or
	// several separated by commas. "" means [DefaultAddr].
	Addr string

	// Key is where the value is; "" means [DefaultKey].
	Key string

	// Status says that the value is written in the words of the Firefox Sync
	// 1.1 server rather than as a number: see the package comment. Key must be
	// given then; that server's is "status:" and its host name.
	Status bool

	// Timeout bounds a call to one memcached, dialing and answer each. A
	// context that ends earlier bounds it too. 0 means [DefaultTimeout].
	Timeout time.Duration

	// DialContext makes connections; nil means a [net.Dialer]'s. It must honour
	// its context. Give it faultconn's to test, or tls.Dialer's for a memcached
	// that speaks TLS.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Store is a [backoff.Store] in memcached. It keeps at most one connection to
// each memcached and no goroutines; callers take turns. It may be used by
// several goroutines at once. See the package comment for how it stores values.
type Store struct {
	key     string
	form    form
	servers []*server
}

var _ backoff.Store = (*Store)(nil)

// New returns a store. It connects to nothing yet. Call Close when done.
func New(c Config) (*Store, error) {
	if c.Addr == "" {
		c.Addr = DefaultAddr
	}
	var f form = number{}
	if c.Status {
		f = status{}
	}
	if c.Key == "" && c.Status {
		return nil, errors.New("memcachestore: Config.Status without a Key: want \"status:\" and a host name")
	}
	if c.Key == "" {
		c.Key = DefaultKey
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.DialContext == nil {
		c.DialContext = new(net.Dialer).DialContext
	}
	if c.Timeout < 0 {
		return nil, fmt.Errorf("memcachestore: Config.Timeout is %v: it must not be negative", c.Timeout)
	}
	if err := checkKey(c.Key); err != nil {
		return nil, err
	}
	s := &Store{key: c.Key, form: f}
	for _, text := range strings.Split(c.Addr, ",") {
		addr, err := parseAddr(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		s.servers = append(s.servers, newServer(addr, c.Timeout, memcachewire.Bounded(c.DialContext)))
	}
	return s, nil
}

// checkKey refuses what memcached does.
func checkKey(key string) error {
	const most = 250 - len(extraSuffix)
	if len(key) > most {
		return fmt.Errorf("memcachestore: Config.Key is %d bytes long: memcached takes %d, and the suffix %s must fit too", len(key), most, extraSuffix)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return fmt.Errorf("memcachestore: Config.Key %q has a space or control character, which memcached does not take", key)
		}
	}
	return nil
}

// addr is a net.Addr that is not resolved: the dialer does that each time, so
// that a memcached that moved is found, and names need not be known to DNS.
type addr struct{ network, text string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.text }

func parseAddr(text string) (addr, error) {
	if strings.Contains(text, "/") {
		return addr{"unix", text}, nil
	}
	if _, port, err := net.SplitHostPort(text); err != nil || port == "" {
		return addr{}, fmt.Errorf("memcachestore: Config.Addr has %q: want host:port, the path of a Unix socket, or several separated by commas", text)
	}
	return addr{"tcp", text}, nil
}

// Get implements [backoff.Store]. Of several memcacheds it asks all at once; the
// answer is the longest of the intervals that they hold. If some cannot be
// reached and the others hold nothing, the error is not [backoff.ErrNotSet]:
// the value may be where nobody could look.
func (s *Store) Get(ctx context.Context) (backoff.Value, error) {
	values := make([]backoff.Value, len(s.servers))
	errs := s.each(func(i int, srv *server) (err error) {
		values[i], err = srv.get(ctx, s.key, s.form)
		return err
	})
	var held []func() backoff.Value
	var corrupt, failed []error
	for i, err := range errs {
		switch {
		case err == nil:
			held = append(held, func() backoff.Value { return values[i] })
		case errors.Is(err, backoff.ErrCorrupt):
			corrupt = append(corrupt, err)
		case !errors.Is(err, backoff.ErrNotSet):
			failed = append(failed, err)
		}
	}
	switch {
	case len(held) > 0:
		return backoff.Max(held...)(), nil
	case len(failed) > 0:
		return backoff.Value{}, errors.Join(failed...)
	case len(corrupt) > 0:
		return backoff.Value{}, errors.Join(corrupt...)
	}
	return backoff.Value{}, backoff.ErrNotSet
}

// Set implements [backoff.Store]. Of several memcacheds it writes to all; the
// error says which could not be written, and the value stands on the others.
// Interval is rounded up to whole seconds.
func (s *Store) Set(ctx context.Context, v backoff.Value) error {
	items, err := encode(s.key, s.form, v, time.Now())
	if err != nil {
		return err
	}
	return errors.Join(s.each(func(_ int, srv *server) error { return srv.set(ctx, items) })...)
}

// Del implements [backoff.Store]. Of several memcacheds it deletes from all.
func (s *Store) Del(ctx context.Context) error {
	return errors.Join(s.each(func(_ int, srv *server) error { return srv.del(ctx, s.key) })...)
}

// Close closes the connections and waits for calls under way, which end within
// Timeout. Later calls return an error that is [net.ErrClosed].
func (s *Store) Close() error {
	return errors.Join(s.each(func(_ int, srv *server) error { return srv.close() })...)
}

// each calls f for all servers at once, so that one that hangs delays nobody
// else's answer beyond its own timeout, and returns their errors in order.
func (s *Store) each(f func(int, *server) error) []error {
	errs := make([]error, len(s.servers))
	if len(s.servers) == 1 {
		errs[0] = f(0, s.servers[0])
		return errs
	}
	var wg sync.WaitGroup
	for i, srv := range s.servers {
		wg.Go(func() { errs[i] = f(i, srv) })
	}
	wg.Wait()
	return errs
}
