package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/brownout-go/brownout/syncproto/cache"
	"github.com/brownout-go/brownout/syncproto/memcache"
)

// owns tells whether the server has its file to itself, so that what it remembers
// is right.
func (c config) owns() bool { return c.file() && c.cache > 0 }

// openCache puts before the store what remembers for it. Servers that share a
// database and a memcached also share there how far each client has come: what
// is remembered for all of them is not right without it.
func (s *server) openCache(context.Context) (err error) {
	switch {
	case s.cfg.owns():
		s.store, err = cache.New(s.store, cache.Config{TTL: s.cfg.cache})
	case s.cfg.shared() && len(s.cfg.memcached) > 0:
		err = s.share()
	}
	return err
}

func (s *server) share() error {
	mc, err := memcache.New(memcache.Config{
		Servers:     s.cfg.memcached,
		Prefix:      prefix(s.secret),
		StateTTL:    s.cfg.cache,
		DialContext: s.faults.Dialer(pointMemcached, nil),
	})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, mc.Close)
	s.marks = mc.Marks()
	if s.cfg.cache > 0 {
		s.store, err = mc.Cached(s.store)
	}
	return err
}

// prefix is of the keys of one database, whatever its servers call it, for
// several databases may use a memcached.
func prefix(secret []byte) string {
	sum := sha256.Sum256(append([]byte("memcached"), secret...))
	return "syncproto:" + hex.EncodeToString(sum[:8]) + ":"
}
