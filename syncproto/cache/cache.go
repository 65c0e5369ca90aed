package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// Size is how many collections are remembered. The ones not asked for longest
	// go first, so where more than Size are polled in turn, few polls find
	// theirs: take the collections that are polled within a poll interval, and as
	// many again. An entry takes 200 to 350 bytes, a million 340 MB at the most.
	// Zero means 65,536, in about 20 MB.
	Size int
}

const defaultSize = 1 << 16

// New returns a store that remembers the states of s's collections, so that a
// poll without news asks s nothing. Writes and reads of apps go to s as they
// are; a write makes it forget the state of its collection. A write that fails
// may still happen, for whoever gave it up may have given up on a commit: then
// nothing is remembered of its collection until a later write has succeeded, or,
// with a TTL, is forgotten no later than that. The store returned is a
// [syncproto.Directory] if s is one, and no [syncproto.Replica].
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
	m := &cache{Store: s, states: newStates(c)}
	if d, ok := s.(syncproto.Directory); ok {
		return &directory{m, d}, nil
	}
	return m, nil
}

type cache struct {
	syncproto.Store
	states *states
}

// State implements [syncproto.Store].
func (c *cache) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	if err := ctx.Err(); err != nil {
		return syncproto.State{}, err
	}
	st, ok, writes := c.states.look(key)
	if ok {
		return st, nil
	}
	st, err := c.Store.State(ctx, key)
	if err == nil {
		c.states.keep(key, st, writes)
	}
	return st, err
}

// Write implements [syncproto.Store].
func (c *cache) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	before := c.states.begin(key)
	res, err := c.Store.Write(ctx, key, w)
	c.states.end(key, before, known(err))
	return res, err
}

// known tells whether it is known of a write what became of it.
func known(err error) bool {
	var quota *syncproto.QuotaError
	return err == nil || errors.Is(err, syncproto.ErrConflict) || errors.As(err, &quota)
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
	before := c.states.begin(everything(user))
	err := c.dir.Purge(ctx, user)
	c.states.purged(user, before, err == nil)
	return err
}
