package memcachestore_test

import (
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/memcachestore"
	"github.com/brownout-go/brownout/backoff/storetest"
	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/testserver"
)

func TestMain(m *testing.M) { leak.Main(m) }

func open(t *testing.T, c memcachestore.Config) *memcachestore.Store {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second // these tests judge answers, not speed
	}
	s, err := memcachestore.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	m := testserver.Memcached(t)
	storetest.Run(t, func(t *testing.T) backoff.Store {
		return open(t, memcachestore.Config{Addr: m.Addr, Key: t.Name()})
	})
}

func TestStoreOverSeveral(t *testing.T) {
	a, b := testserver.Memcached(t), testserver.Memcached(t)
	storetest.Run(t, func(t *testing.T) backoff.Store {
		return open(t, memcachestore.Config{Addr: a.Addr + ", " + b.Addr, Key: t.Name()})
	})
}

func TestStoreInTheOldSyncServersWords(t *testing.T) {
	m := testserver.Memcached(t)
	storetest.Run(t, func(t *testing.T) backoff.Store {
		return open(t, memcachestore.Config{Addr: m.Addr, Key: t.Name(), Status: true})
	})
}
