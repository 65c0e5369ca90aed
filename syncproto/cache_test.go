package syncproto_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

func cachedStore(t *testing.T, s syncproto.Store, c syncproto.CacheConfig) syncproto.Store {
	t.Helper()
	s, err := syncproto.Cached(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCachedContract(t *testing.T) {
	open := func(t *testing.T) syncproto.Store {
		return cachedStore(t, new(syncproto.Memory), syncproto.CacheConfig{})
	}
	storetest.Run(t, open)
	storetest.Histories(t, 2, 1, func(t *testing.T) []syncproto.Store { return []syncproto.Store{open(t)} })
}

// asked counts how often the state is asked for.
type asked struct {
	*syncproto.Memory
	n     atomic.Int32
	while func() // happens after the state was read
}

func (a *asked) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	a.n.Add(1)
	st, err := a.Memory.State(ctx, key)
	if a.while != nil {
		a.while()
	}
	return st, err
}

var annsApps = syncproto.Key{User: "ann@example.com", Collection: "apps"}

func put(t *testing.T, s syncproto.Store) syncproto.Time {
	t.Helper()
	res, err := s.Write(t.Context(), annsApps, syncproto.Write{Apps: []syncproto.App{{Origin: "a", Doc: json.RawMessage(`{}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	return res.Time
}

func TestIdlePollAsksNothing(t *testing.T) {
	below := &asked{Memory: new(syncproto.Memory)}
	d := newSite(t, syncproto.Config{Store: cachedStore(t, below, syncproto.CacheConfig{})}).device("ann@example.com")
	until := d.push(`[{"origin":"a"}]`)
	d.pull(0)
	before := below.n.Load()
	for range 10 {
		d.pull(until)
	}
	if n := below.n.Load() - before; n != 0 {
		t.Errorf("10 idle polls asked the store %d times", n)
	}
	if next := d.push(`[{"origin":"b"}]`); len(d.pull(until).Applications) != 1 || next <= until {
		t.Errorf("after a push the cache still says that there is nothing new")
	}
}

// A state that was read before a write, and comes back after it, is not kept.
func TestCacheAndWriteCross(t *testing.T) {
	below := &asked{Memory: new(syncproto.Memory)}
	s := cachedStore(t, below, syncproto.CacheConfig{})
	var written syncproto.Time
	below.while = func() {
		below.while = nil
		written = put(t, s)
	}
	for i, want := range []bool{false, true} {
		st, err := s.State(t.Context(), annsApps)
		if err != nil || (st.Last == written) != want {
			t.Errorf("look %d: %+v, %v; the write was at %v", i, st, err, written)
		}
	}
}

func TestCacheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &asked{Memory: new(syncproto.Memory)}
		s := cachedStore(t, below, syncproto.CacheConfig{TTL: time.Second})
		s.State(t.Context(), annsApps)
		written := put(t, below) // by another server
		if st, _ := s.State(t.Context(), annsApps); st.Last != 0 {
			t.Errorf("not remembered: %+v", st)
		}
		time.Sleep(time.Second)
		if st, _ := s.State(t.Context(), annsApps); st.Last != written {
			t.Errorf("believed after its time: %+v", st)
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	below := &asked{Memory: new(syncproto.Memory)}
	s := cachedStore(t, below, syncproto.CacheConfig{Size: 10})
	for i := range 100 {
		s.State(t.Context(), syncproto.Key{User: fmt.Sprint(i), Collection: "apps"})
		s.State(t.Context(), annsApps)
	}
	if n := below.n.Load(); n != 101 {
		t.Errorf("asked %d times, want once for each", n)
	}
	s.State(t.Context(), syncproto.Key{User: "3", Collection: "apps"})
	if n := below.n.Load(); n != 102 {
		t.Errorf("what was long not asked for is still there")
	}
}

func TestCacheKeepsNoFailure(t *testing.T) {
	below := &brokenStore{Store: new(syncproto.Memory), err: errors.New("down")}
	s := cachedStore(t, below, syncproto.CacheConfig{})
	if _, err := s.State(t.Context(), annsApps); !errors.Is(err, below.err) {
		t.Errorf("%v", err)
	}
	below.err = nil
	if _, err := s.State(t.Context(), annsApps); err != nil {
		t.Errorf("after the outage: %v", err)
	}
	if _, ok := s.(syncproto.Directory); ok {
		t.Errorf("a directory over a store that is none")
	}
}
