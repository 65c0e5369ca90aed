package memcache

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/syncproto"
)

// Marks returns the marks of sessions, shared by all servers.
func (c *Client) Marks() syncproto.Marks { return marks{c} }

type marks struct{ c *Client }

var _ syncproto.Marks = marks{}

// value is a mark as it is stored: the time and the turn, in decimal.
func value(until syncproto.Time, turn uint64) []byte {
	return fmt.Appendf(nil, "%d %d", int64(until), turn)
}

func parse(b []byte) (until syncproto.Time, turn uint64, err error) {
	_, err = fmt.Sscanf(string(b), "%d %d\n", &until, &turn)
	return until, turn, err
}

// Begin implements [syncproto.Marks]. The turn is random, for servers don't
// count together.
func (m marks) Begin(ctx context.Context, name string, since syncproto.Time) (uint64, error) {
	var b [8]byte
	rand.Read(b[:]) // never fails
	turn := binary.BigEndian.Uint64(b[:]) | 1
	err := m.c.do(ctx, "set a mark", func() error {
		return m.c.mc.Set(&memcache.Item{Key: m.c.key("mark", name), Value: value(since, turn), Expiration: ttl(m.c.cfg.MarksTTL)})
	})
	return turn, err
}

// Advance implements [syncproto.Marks].
func (m marks) Advance(ctx context.Context, name string, turn uint64, until syncproto.Time) error {
	err := m.c.do(ctx, "move a mark", func() error {
		item, err := m.c.mc.Get(m.c.key("mark", name))
		if err != nil {
			return err
		}
		if _, now, err := parse(item.Value); err != nil || now != turn {
			return nil // another pull has begun, or this is not ours
		}
		item.Value, item.Expiration = value(until, turn), ttl(m.c.cfg.MarksTTL)
		return m.c.mc.CompareAndSwap(item)
	})
	if errors.Is(err, memcache.ErrCacheMiss) || errors.Is(err, memcache.ErrCASConflict) || errors.Is(err, memcache.ErrNotStored) {
		return nil // forgotten, or another pull has begun
	}
	return err
}

// Mark implements [syncproto.Marks].
func (m marks) Mark(ctx context.Context, name string) (until syncproto.Time, err error) {
	err = m.c.do(ctx, "get a mark", func() error {
		item, err := m.c.mc.Get(m.c.key("mark", name))
		if err != nil {
			return err
		}
		until, _, err = parse(item.Value)
		return err
	})
	if errors.Is(err, memcache.ErrCacheMiss) {
		return 0, nil
	}
	return until, err
}
