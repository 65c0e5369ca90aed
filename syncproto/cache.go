package syncproto

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// CacheConfig bounds what [Cached] remembers.
type CacheConfig struct {
	// TTL is how long a state is believed. Zero means for ever, which is right
	// if every write goes through this cache. Where others write too, such as
	// other servers, it is by how much a poll may be late; nothing is missed,
	// for a poll that is told of no news keeps its since.
	TTL time.Duration
	// Size is how many collections are remembered, at about 300 bytes each. The
	// ones not asked for longest go first. Zero means 65,536.
	Size int
}

const defaultCached = 1 << 16

// Cached returns a store that remembers the states of collections, in this
// process, so that a poll without news asks the store nothing. Writes and reads
// of apps go to the store as they are; a write makes it forget the state of its
// collection. The store returned is a [Directory] if s is one, and no [Replica].
func Cached(s Store, c CacheConfig) (Store, error) {
	if s == nil {
		return nil, fmt.Errorf("syncproto: Cached: the store is nil")
	}
	if c.TTL < 0 || c.Size < 0 {
		return nil, fmt.Errorf("syncproto: CacheConfig %+v: must not be negative", c)
	}
	if c.Size == 0 {
		c.Size = defaultCached
	}
	cache := &cache{Store: s, cfg: c, seed: maphash.MakeSeed()}
	if d, ok := s.(Directory); ok {
		return &cachedDirectory{cache, d}, nil
	}
	return cache, nil
}

type cache struct {
	Store
	cfg CacheConfig

	mu     sync.Mutex
	states recent[Key, cached]
	seed   maphash.Seed
	writes [256]uint64 // counted by hash of the key
}

type cached struct {
	State
	until time.Time // zero for ever
}

// State implements [Store].
func (c *cache) State(ctx context.Context, key Key) (State, error) {
	if err := ctx.Err(); err != nil {
		return State{}, err
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

func (c *cache) look(key Key) (st State, ok bool, writes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.states.get(key, c.cfg.Size)
	if ok && !e.until.IsZero() && !time.Now().Before(e.until) {
		ok = false
	}
	return e.State, ok, *c.count(key)
}

// count is the number of writes to the collection, and to some others.
func (c *cache) count(key Key) *uint64 {
	return &c.writes[maphash.Comparable(c.seed, key)%uint64(len(c.writes))]
}

// keep takes in a state that was read when there had been so many writes. If
// there were more meanwhile, it may be from before them.
func (c *cache) keep(key Key, st State, writes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *c.count(key) != writes {
		return
	}
	e := cached{State: st}
	if c.cfg.TTL > 0 {
		e.until = time.Now().Add(c.cfg.TTL)
	}
	c.states.set(key, e, c.cfg.Size)
}

func (c *cache) forget(match func(Key) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.writes {
		c.writes[i]++
	}
	c.states.deleteFunc(match)
}

// Write implements [Store]. What failed may have happened all the same.
func (c *cache) Write(ctx context.Context, key Key, w Write) (Result, error) {
	res, err := c.Store.Write(ctx, key, w)
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.count(key)++
	c.states.delete(key)
	return res, err
}

// cachedDirectory is a cache over a [Directory].
type cachedDirectory struct {
	*cache
	dir Directory
}

var _ Directory = (*cachedDirectory)(nil)

func (c *cachedDirectory) Users(ctx context.Context, after string, limit int) ([]string, error) {
	return c.dir.Users(ctx, after, limit)
}

func (c *cachedDirectory) Collections(ctx context.Context, user string) ([]Usage, error) {
	return c.dir.Collections(ctx, user)
}

func (c *cachedDirectory) Purge(ctx context.Context, user string) error {
	err := c.dir.Purge(ctx, user)
	c.forget(func(k Key) bool { return k.User == user })
	return err
}
