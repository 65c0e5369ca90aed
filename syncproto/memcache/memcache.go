// Package memcache keeps in memcached what several servers of one database
// share to behave as one: how far each session has come ([Client.Marks]), and
// the states of collections, so that a poll without news asks the database
// nothing ([Client.Cached]).
//
//	mc, err := memcache.New(memcache.Config{Servers: []string{"10.0.0.1:11211"}})
//	defer mc.Close()
//	store, err := mc.Cached(db)
//	h, err := syncproto.New(syncproto.Config{Store: store, Marks: mc.Marks(), ...})
//
// A memcached that lies, lags, forgets or is gone costs work and time, never an
// update. A value is believed if it is whole, was put there under its key, and is
// not too old; that is told by a checksum, and so keeps out accidents and not
// whoever may write to memcached. Calls last at most Config.Timeout, for dialing and answer each,
// whatever the context says; one that fails makes all others fail at once for
// Config.Pause, so that a memcached that hangs holds up a request now and then
// and not each. Without it polls ask the database, and pushes answer a received
// that makes clients pull a little more than they need.
package memcache

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/internal/memcachewire"
)

// Config is what a [Client] is made of. Servers have to be given.
type Config struct {
	// Servers are memcacheds, as host:port or the path of a Unix socket. All
	// servers of the group have to list the same ones.
	Servers []string
	// Prefix begins every key. Empty means "syncproto:".
	Prefix string
	// Timeout bounds dialing, and a call. Zero means 50 ms.
	Timeout time.Duration
	// Pause is for how long nothing is asked after a failure. Zero means 5 s.
	Pause time.Duration
	// MarksTTL is how long a mark is kept that nobody uses. Zero means 30 days,
	// which is the most that there is.
	MarksTTL time.Duration
	// StateTTL is how long a state is believed, and so for how long a poll may
	// be late if memcached loses what a write said. Servers whose clocks are
	// further apart do not believe each other's. Zero means 10 s; at least a
	// second.
	StateTTL time.Duration
	// MaxIdleConns is how many connections to each memcached are kept. Zero
	// means 16.
	MaxIdleConns int
	// DialContext makes connections. Nil means that of a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

const (
	defaultTimeout  = 50 * time.Millisecond
	defaultPause    = 5 * time.Second
	defaultMarksTTL = 30 * 24 * time.Hour
	defaultStateTTL = 10 * time.Second
	defaultIdle     = 16
	maxPrefix       = 100
)

// Client talks to memcached. It is safe for concurrent use.
type Client struct {
	cfg  Config
	mc   *memcache.Client
	down atomic.Int64 // until when, in Unix nanoseconds
}

// ErrPaused is what calls return after a failure, until Config.Pause is over.
var ErrPaused = errors.New("memcache: not asked, it failed a moment ago")

// New makes a client. It connects when it is first asked.
func New(c Config) (*Client, error) {
	if len(c.Servers) == 0 {
		return nil, errors.New("memcache: Config.Servers is empty: list at least one host:port")
	}
	if c.Prefix == "" {
		c.Prefix = "syncproto:"
	}
	for _, b := range []byte(c.Prefix) {
		if b <= ' ' || b == 0x7f || len(c.Prefix) > maxPrefix {
			return nil, fmt.Errorf("memcache: Config.Prefix %.120q: want at most %d bytes without spaces", c.Prefix, maxPrefix)
		}
	}
	for _, f := range []struct {
		name  string
		v     *time.Duration
		def   time.Duration
		least time.Duration
		most  time.Duration
	}{
		{"Timeout", &c.Timeout, defaultTimeout, 1, time.Minute},
		{"Pause", &c.Pause, defaultPause, 1, time.Hour},
		{"MarksTTL", &c.MarksTTL, defaultMarksTTL, time.Second, defaultMarksTTL},
		{"StateTTL", &c.StateTTL, defaultStateTTL, time.Second, defaultMarksTTL},
	} {
		if *f.v == 0 {
			*f.v = f.def
		}
		if *f.v < f.least || *f.v > f.most {
			return nil, fmt.Errorf("memcache: Config.%s %v: want %v to %v, or zero for %v", f.name, *f.v, f.least, f.most, f.def)
		}
	}
	if c.MaxIdleConns < 0 {
		return nil, fmt.Errorf("memcache: Config.MaxIdleConns %d: must not be negative", c.MaxIdleConns)
	}
	if c.MaxIdleConns == 0 {
		c.MaxIdleConns = defaultIdle
	}
	servers := new(memcache.ServerList)
	if err := servers.SetServers(c.Servers...); err != nil {
		return nil, fmt.Errorf("memcache: Config.Servers: %w", err)
	}
	mc := memcache.NewFromSelector(servers)
	dial := c.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext // bounded by the context that it is given
	}
	mc.Timeout, mc.MaxIdleConns, mc.DialContext = c.Timeout, c.MaxIdleConns, memcachewire.Bounded(dial)
	return &Client{cfg: c, mc: mc}, nil
}

// Close closes the idle connections.
func (c *Client) Close() error { return c.mc.Close() }

// do makes a call unless one failed a moment ago. What memcached says about a
// key is no failure.
func (c *Client) do(ctx context.Context, op string, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if time.Now().UnixNano() < c.down.Load() {
		return ErrPaused
	}
	err := call()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, memcache.ErrCacheMiss), errors.Is(err, memcache.ErrCASConflict), errors.Is(err, memcache.ErrNotStored):
		return err
	}
	c.down.Store(time.Now().Add(c.cfg.Pause).UnixNano())
	return fmt.Errorf("memcache: %s: %w", op, err)
}

// key makes a key of fixed length and safe bytes.
func (c *Client) key(kind string, parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s", len(p), p)
	}
	return c.cfg.Prefix + kind + ":" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// ttl is in seconds, rounded up; above 30 days it would mean a date.
func ttl(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }
