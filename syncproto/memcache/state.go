package memcache

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/syncproto"
)

// Cached returns a store that remembers the states of collections in memcached.
// Every server that writes to the store has to do it through such a cache, or
// polls are late by up to Config.StateTTL. Reads of apps and writes go to the
// store as they are. After a write that failed, and may still happen, nothing is
// remembered of its collection until a later one has succeeded. The store returned
// is a [syncproto.Directory] if s is one, and no [syncproto.Replica].
func (c *Client) Cached(s syncproto.Store) (syncproto.Store, error) {
	if s == nil {
		return nil, errors.New("memcache: Cached: the store is nil")
	}
	cache := &cache{Store: s, c: c}
	if d, ok := s.(syncproto.Directory); ok {
		return &directory{cache, d}, nil
	}
	return cache, nil
}

type cache struct {
	syncproto.Store
	c *Client
}

// stored is a state as it is stored. Memcached forgets it in time, but is not
// relied on for that.
type stored struct {
	At      int64               `json:"at"`              // when it was so, in Unix milliseconds
	Doubt   int64               `json:"doubt,omitempty"` // when a write failed, in Unix nanoseconds; nothing else is set
	UUID    string              `json:"uuid,omitempty"`
	Last    syncproto.Time      `json:"last"`
	Deleted *syncproto.Deletion `json:"deleted,omitempty"`
}

// item is what is to be stored, of a state as it was then.
func (s *cache) item(key syncproto.Key, st syncproto.State, then time.Time) *memcache.Item {
	return s.seal(key, stored{At: then.UnixMilli(), UUID: st.UUID, Last: st.Last, Deleted: st.Deleted})
}

func (s *cache) seal(key syncproto.Key, v stored) *memcache.Item {
	b, err := json.Marshal(v)
	if err != nil { // of strings and numbers
		panic(err)
	}
	k := s.key(key)
	return &memcache.Item{Key: k, Value: seal(k, b), Expiration: ttl(s.c.cfg.StateTTL)}
}

func (s *cache) key(key syncproto.Key) string { return s.c.key("state", key.User, key.Collection) }

// errOld is a state of too long ago, or of a time to come. The clocks of servers
// that are further apart than Config.StateTTL make a cache of no use, and do no
// other harm.
var errOld = errors.New("memcache: the state is old")

// A doubtError says that a write failed then, and may still happen: whoever gave it
// up may have given up on a commit. Until a later write has succeeded, or for
// Config.StateTTL, nothing is remembered of the collection.
type doubtError time.Time

func (doubtError) Error() string { return "memcache: a write may still happen" }

// get returns the state that is remembered, and the item it is in. With errValue,
// errOld and a doubtError there is an item, and the state is not to be believed.
func (s *cache) get(ctx context.Context, key syncproto.Key) (st syncproto.State, item *memcache.Item, err error) {
	err = s.c.do(ctx, "get a state", func() (err error) {
		item, err = s.c.mc.Get(s.key(key))
		return err
	})
	if err != nil {
		return st, nil, err
	}
	b, err := open(s.key(key), item.Value)
	if err != nil {
		return st, item, err
	}
	var v stored
	if err := json.Unmarshal(b, &v); err != nil {
		return st, item, errValue
	}
	if failed := time.Unix(0, v.Doubt); v.Doubt != 0 && time.Since(failed).Abs() <= s.c.cfg.StateTTL {
		return st, item, doubtError(failed)
	}
	st = syncproto.State{UUID: v.UUID, Last: v.Last, Deleted: v.Deleted}
	if age := time.Since(time.UnixMilli(v.At)); age.Abs() > s.c.cfg.StateTTL {
		return st, item, errOld
	}
	return st, item, nil
}

// put puts a state where there was none, or in the place of the item, but only if
// nobody has said anything meanwhile: it would be newer.
func (s *cache) put(ctx context.Context, item, next *memcache.Item) error {
	if item == nil {
		return s.c.do(ctx, "add a state", func() error { return s.c.mc.Add(next) })
	}
	item.Value, item.Expiration = next.Value, next.Expiration
	return s.c.do(ctx, "change a state", func() error { return s.c.mc.CompareAndSwap(item) })
}

// State implements [syncproto.Store].
func (s *cache) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	st, item, err := s.get(ctx, key)
	if err == nil {
		return st, nil
	}
	var doubt doubtError
	use := (item != nil || errors.Is(err, memcache.ErrCacheMiss)) && !errors.As(err, &doubt)
	then := time.Now()
	if st, err = s.Store.State(ctx, key); err != nil || !use {
		return st, err
	}
	// What goes wrong here goes wrong again at the next poll.
	_ = s.put(ctx, item, s.item(key, st, then))
	return st, nil
}

// Write implements [syncproto.Store].
func (s *cache) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	then := time.Now()
	res, err := s.Store.Write(ctx, key, w)
	// The write has happened or may have, so this is not the request's to give up.
	ctx = context.WithoutCancel(ctx)
	var quota *syncproto.QuotaError
	switch {
	case errors.Is(err, syncproto.ErrConflict), errors.As(err, &quota):
	case err != nil:
		s.doubt(ctx, key)
	case res.Replayed || res.Time <= res.Previous:
		s.forget(ctx, key, then)
	case w.Delete != nil:
		s.raise(ctx, key, syncproto.State{Last: res.Time, Deleted: w.Delete}, then)
	default:
		s.raise(ctx, key, syncproto.State{UUID: res.UUID, Last: res.Time}, then)
	}
	return res, err
}

// raise remembers a state unless a later one is.
func (s *cache) raise(ctx context.Context, key syncproto.Key, st syncproto.State, then time.Time) {
	for range 3 {
		now, item, err := s.get(ctx, key)
		if (err == nil || err == errOld) && now.Last >= st.Last || doubted(err, then) {
			return
		}
		if item == nil && err != nil && !errors.Is(err, memcache.ErrCacheMiss) {
			break
		}
		if err = s.put(ctx, item, s.item(key, st, then)); err == nil {
			return
		}
		if !errors.Is(err, memcache.ErrCASConflict) && !errors.Is(err, memcache.ErrNotStored) {
			break
		}
	}
	s.forget(ctx, key, then)
}

// forget forgets a state for the sake of a write that began then.
func (s *cache) forget(ctx context.Context, key syncproto.Key, then time.Time) {
	if _, _, err := s.get(ctx, key); !doubted(err, then) {
		_ = s.c.do(ctx, "forget a state", func() error { return s.c.mc.Delete(s.key(key)) })
	}
}

// doubted tells whether there is a doubt that a write which began then does not
// settle: what failed before then has happened before that write, or never will.
func doubted(err error, then time.Time) bool {
	var doubt doubtError
	return errors.As(err, &doubt) && !time.Time(doubt).Before(then)
}

// doubt remembers that a write may still happen.
func (s *cache) doubt(ctx context.Context, key syncproto.Key) {
	item := s.seal(key, stored{Doubt: time.Now().UnixNano()})
	_ = s.c.do(ctx, "doubt a state", func() error { return s.c.mc.Set(item) })
}

// directory is a cache over a [syncproto.Directory].
type directory struct {
	*cache
	dir syncproto.Directory
}

var _ syncproto.Directory = (*directory)(nil)

func (d *directory) Users(ctx context.Context, after string, limit int) ([]string, error) {
	return d.dir.Users(ctx, after, limit)
}

func (d *directory) Collections(ctx context.Context, user string) ([]syncproto.Usage, error) {
	return d.dir.Collections(ctx, user)
}

func (d *directory) Purge(ctx context.Context, user string) error {
	all, err := d.dir.Collections(ctx, user)
	if err != nil {
		return err
	}
	then := time.Now()
	err = d.dir.Purge(ctx, user)
	for _, u := range all {
		key := syncproto.Key{User: user, Collection: u.Collection}
		if err != nil {
			d.doubt(context.WithoutCancel(ctx), key)
		} else {
			d.forget(context.WithoutCancel(ctx), key, then)
		}
	}
	return err
}
