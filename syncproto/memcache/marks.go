package memcache

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/syncproto"
)

// Marks returns the marks of sessions, shared by all servers. One that memcached
// has brought back from before is one that the session had: it misleads nobody
// who pulls everything before pushing, as the first clients do.
func (c *Client) Marks() syncproto.Marks { return marks{c} }

type marks struct{ c *Client }

var _ syncproto.Marks = marks{}

// markValue is a mark as it is stored: the time and the turn, 8 bytes each.
func markValue(key string, until syncproto.Time, turn uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(until))
	return seal(key, binary.BigEndian.AppendUint64(b, turn))
}

func parseMark(key string, value []byte) (until syncproto.Time, turn uint64, err error) {
	b, err := open(key, value)
	if err != nil || len(b) != 16 {
		return 0, 0, errValue
	}
	return syncproto.Time(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:]), nil
}

// Begin implements [syncproto.Marks]. The turn is random, for servers don't
// count together.
func (m marks) Begin(ctx context.Context, name string, since syncproto.Time) (uint64, error) {
	var b [8]byte
	rand.Read(b[:]) // never fails
	turn := binary.BigEndian.Uint64(b[:]) | 1
	key := m.c.key("mark", name)
	err := m.c.do(ctx, "set a mark", func() error {
		return m.c.mc.Set(&memcache.Item{Key: key, Value: markValue(key, since, turn), Expiration: ttl(m.c.cfg.MarksTTL)})
	})
	return turn, err
}

// Advance implements [syncproto.Marks].
func (m marks) Advance(ctx context.Context, name string, turn uint64, until syncproto.Time) error {
	key := m.c.key("mark", name)
	err := m.c.do(ctx, "move a mark", func() error {
		item, err := m.c.mc.Get(key)
		if err != nil {
			return err
		}
		if _, now, err := parseMark(key, item.Value); err != nil || now != turn {
			return nil // another pull has begun, or this is not ours
		}
		item.Value, item.Expiration = markValue(key, until, turn), ttl(m.c.cfg.MarksTTL)
		return m.c.mc.CompareAndSwap(item)
	})
	if errors.Is(err, memcache.ErrCacheMiss) || errors.Is(err, memcache.ErrCASConflict) || errors.Is(err, memcache.ErrNotStored) {
		return nil // forgotten, or another pull has begun
	}
	return err
}

// Mark implements [syncproto.Marks].
func (m marks) Mark(ctx context.Context, name string) (until syncproto.Time, err error) {
	key := m.c.key("mark", name)
	var item *memcache.Item
	err = m.c.do(ctx, "get a mark", func() (err error) {
		item, err = m.c.mc.Get(key)
		return err
	})
	if errors.Is(err, memcache.ErrCacheMiss) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	until, _, err = parseMark(key, item.Value)
	return until, err
}
