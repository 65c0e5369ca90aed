package memcachestore

import (
	"errors"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/backoff"
)

// Whatever somebody has written to memcached is a value that can be written
// again, or an error of the kinds that a Source knows.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{"20", "20 ", "-1", "", "down", "backoff:30", "backoff", "\x80\x02K\x14."} {
		f.Add(text, uint32(2), "", false)
		f.Add(text, uint32(0), `{"interval":20,"unavailable":0.5}`, true)
	}
	f.Fuzz(func(t *testing.T, plain string, flags uint32, extra string, words bool) {
		now := time.Unix(1e9, 0)
		var form form = number{}
		if words {
			form = status{}
		}
		var more *memcache.Item
		if extra != "" {
			more = &memcache.Item{Key: "k:extra", Value: []byte(extra)}
		}
		v, err := decode(form, &memcache.Item{Key: "k", Value: []byte(plain), Flags: flags}, more, now)
		if err != nil {
			if !errors.Is(err, backoff.ErrCorrupt) && !errors.Is(err, backoff.ErrNotSet) {
				t.Fatalf("error of no known kind: %v", err)
			}
			return
		}
		items, err := encode("k", form, v, now)
		if err != nil {
			t.Fatalf("%+v was read but cannot be written: %v", v, err)
		}
		again, err := decode(form, items.plain, items.extra, now)
		if err != nil || again.String() != v.String() {
			t.Fatalf("%v was written as %+v and read as %v, %v", v, items, again, err)
		}
	})
}
