package cache_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/cache"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func open(t *testing.T, s syncproto.Store, c cache.Config) syncproto.Store {
	t.Helper()
	s, err := cache.New(s, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	cached := func(t *testing.T) syncproto.Store {
		return open(t, new(syncproto.Memory), cache.Config{})
	}
	storetest.Run(t, cached)
	storetest.Histories(t, 2, 1, func(t *testing.T) []syncproto.Store { return []syncproto.Store{cached(t)} })
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

func TestRepeatedStateAsksNothing(t *testing.T) {
	below := &asked{Memory: new(syncproto.Memory)}
	s := open(t, below, cache.Config{})
	for range 3 {
		last := put(t, s)
		before := below.n.Load()
		for range 10 {
			if st, err := s.State(t.Context(), annsApps); st.Last != last || err != nil {
				t.Fatalf("%+v, %v; want the write at %v", st, err, last)
			}
		}
		if n := below.n.Load() - before; n != 1 {
			t.Errorf("10 looks asked the store %d times, want once after each write", n)
		}
	}
}

// A state that was read before a write, and comes back after it, is not kept.
func TestStateAndWriteCross(t *testing.T) {
	below := &asked{Memory: new(syncproto.Memory)}
	s := open(t, below, cache.Config{})
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

func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &asked{Memory: new(syncproto.Memory)}
		s := open(t, below, cache.Config{TTL: time.Second})
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

func TestSize(t *testing.T) {
	below := &asked{Memory: new(syncproto.Memory)}
	s := open(t, below, cache.Config{Size: 10})
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

// flaky fails as told, and is no directory.
type flaky struct {
	syncproto.Store
	err error
}

func (f *flaky) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	if f.err != nil {
		return syncproto.State{}, f.err
	}
	return f.Store.State(ctx, key)
}

func TestKeepsNoFailure(t *testing.T) {
	down := errors.New("down")
	below := &flaky{Store: new(syncproto.Memory), err: down}
	s := open(t, below, cache.Config{})
	if _, err := s.State(t.Context(), annsApps); !errors.Is(err, down) {
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

func TestBadConfig(t *testing.T) {
	if _, err := cache.New(nil, cache.Config{}); err == nil {
		t.Error("a cache over nothing")
	}
	for _, c := range []cache.Config{{TTL: -1}, {Size: -1}} {
		if _, err := cache.New(new(syncproto.Memory), c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
