package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/brownout-go/brownout/internal/recent"
	"github.com/brownout-go/brownout/syncproto"
)

// Config bounds what a cache remembers.
type Config struct {
	// TTL is how long a state is believed. Zero means for ever, which is right
	// if every write goes through this cache. Where others write too, such as
	// other servers, it is by how much a poll may be late; nothing is missed,
	// for a poll that is told of no news keeps its since. Such servers have to
	// share their [syncproto.Marks]: each would else believe of a client that it
	// has what it was sent, and never got, before it was told of no news by the
	// other.
	TTL time.Duration
	// Size is how many collections are remembered, at about 300 bytes each. The
	// ones not asked for longest go first. Zero means 65,536.
	Size int
}

const defaultSize = 1 << 16

// New returns a store that remembers the states of s's collections, so that a
// poll without news asks s nothing. Writes and reads of apps go to s as they
// are; a write makes it forget the state of its collection. The store returned
// is a [syncproto.Directory] if s is one, and no [syncproto.Replica].
func New(s syncproto.Store, c Config) (syncproto.Store, error) {
	if s == nil {
		return nil, errors.New("cache: the store is nil")
	}
	if c.TTL < 0 || c.Size < 0 {
		return nil, fmt.Errorf("cache: Config %+v: must not be negative", c)
	}
	if c.Size == 0 {
		c.Size = defaultSize
	}
	m := &cache{Store: s, cfg: c, seed: maphash.MakeSeed()}
	if d, ok := s.(syncproto.Directory); ok {
		return &directory{m, d}, nil
	}
	return m, nil
}

type cache struct {
	syncproto.Store
	cfg Config

	mu     sync.Mutex
	states recent.Map[syncproto.Key, known]
	seed   maphash.Seed
	writes [256]uint64 // counted by hash of the key
}

type known struct {
	syncproto.State
	until time.Time // zero for ever
}

// State implements [syncproto.Store].
func (c *cache) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	if err := ctx.Err(); err != nil {
		return syncproto.State{}, err
	}
	st, ok, writes := c.look(key)
	if ok {
		return st, nil
	}
	st, err := c.Store.State(ctx, key)
	if err == nil {
		c.keep(key, st, writes)
	}
	return st, err
}

func (c *cache) look(key syncproto.Key) (st syncproto.State, ok bool, writes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.states.Get(key, c.cfg.Size)
	if ok && !e.until.IsZero() && !time.Now().Before(e.until) {
		ok = false
	}
	return e.State, ok, *c.count(key)
}

// count is the number of writes to the collection, and to some others.
func (c *cache) count(key syncproto.Key) *uint64 {
	return &c.writes[maphash.Comparable(c.seed, key)%uint64(len(c.writes))]
}

// keep takes in a state that was read when there had been so many writes. If
// there were more meanwhile, it may be from before them.
func (c *cache) keep(key syncproto.Key, st syncproto.State, writes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.count(key) != writes {
		return
	}
	e := known{State: st}
	if c.cfg.TTL > 0 {
		e.until = time.Now().Add(c.cfg.TTL)
	}
	c.states.Set(key, e, c.cfg.Size)
}

func (c *cache) forget(match func(syncproto.Key) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.writes {
		c.writes[i]++
	}
	c.states.DeleteFunc(match)
}

// Write implements [syncproto.Store]. What failed may have happened all the same.
func (c *cache) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	res, err := c.Store.Write(ctx, key, w)
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.count(key)++
	c.states.Delete(key)
	return res, err
}

// directory is a cache over a [syncproto.Directory].
type directory struct {
	*cache
	dir syncproto.Directory
}

var _ syncproto.Directory = (*directory)(nil)

func (c *directory) Users(ctx context.Context, after string, limit int) ([]string, error) {
	return c.dir.Users(ctx, after, limit)
}

func (c *directory) Collections(ctx context.Context, user string) ([]syncproto.Usage, error) {
	return c.dir.Collections(ctx, user)
}

func (c *directory) Purge(ctx context.Context, user string) error {
	err := c.dir.Purge(ctx, user)
	c.forget(func(k syncproto.Key) bool { return k.User == user })
	return err
}
