package cache_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/cache"
)

// always is a store in which every collection was written once.
type always struct{ syncproto.Store }

func (always) State(_ context.Context, key syncproto.Key) (syncproto.State, error) {
	return syncproto.State{UUID: strings.Clone("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), Last: 132308451210}, nil
}

const many = 1_000_000

func fill(tb testing.TB, collections int, path func(i int) string) (s syncproto.Store, keys []syncproto.Key) {
	s, err := cache.New(always{}, cache.Config{Size: 2 * collections})
	if err != nil {
		tb.Fatal(err)
	}
	keys = make([]syncproto.Key, collections)
	for i := range keys {
		user, rest, _ := strings.Cut(path(i), "/")
		collection, _, _ := strings.Cut(rest, "?")
		keys[i] = syncproto.Key{User: user, Collection: collection}
		if _, err := s.State(context.Background(), keys[i]); err != nil {
			tb.Fatal(err)
		}
	}
	return s, keys
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What Config.Size says of an entry's size holds, however long the requests are
// that its key came in.
func TestSizeOfAnEntry(t *testing.T) {
	const collections = 20_000
	before := inUse()
	s, keys := fill(t, collections, func(i int) string {
		return fmt.Sprintf("somebody%d@example.com/apps?since=0&%s", i, strings.Repeat("x", 2000))
	})
	clear(keys)
	each := (inUse() - before) / collections
	runtime.KeepAlive(s)
	runtime.KeepAlive(keys)
	each -= 32 // keys
	t.Logf("%d bytes an entry", each)
	if each > 350 {
		t.Errorf("an entry takes %d bytes, want at most 350", each)
	}
}

// A poll of one of a million collections that are remembered.
func BenchmarkMillion(b *testing.B) {
	before := inUse()
	s, keys := fill(b, many, func(i int) string { return fmt.Sprintf("somebody%d@example.com/apps", i) })
	each := float64(inUse()-before)/many - 32 - 48 // the keys and what is in them
	var next atomic.Uint64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := next.Add(7919) * 7919; pb.Next(); i += 7919 {
			if _, err := s.State(context.Background(), keys[i%many]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(each, "B/entry")
}
