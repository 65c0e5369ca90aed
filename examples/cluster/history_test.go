package cluster

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto/storetest"
)

// A trouble comes over the group in the midst of a history, and goes again.
type trouble struct {
	name       string
	begin, end func()
}

// troubled counts the requests of a history.
type troubled struct {
	mu    sync.Mutex
	of    trouble
	asked int
}

const from, until = 20, 70 // requests

func (x *troubled) through(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		x.mu.Lock()
		switch x.asked++; x.asked {
		case from:
			x.of.begin()
		case until:
			x.of.end()
		}
		x.mu.Unlock()
		return next.RoundTrip(r)
	})
}

// over ends what has begun.
func (x *troubled) over(t *testing.T) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.asked < from {
		t.Errorf("%s: %d requests, and the trouble begins at %d", x.of.name, x.asked, from)
	} else if x.asked < until {
		x.of.end()
	}
	x.asked = until
}

// Devices of today and of the first kind read, write and wait, on conditions and
// under quotas, on either server, while memcached and the database come and go.
// All that they were told is explained by one order of all writes, nobody is
// sent away with a 401, and in the end every device has everything.
func TestHistoriesUnderTrouble(t *testing.T) {
	g := openWith(t, time.Second, storetest.Handler)
	nothing := func() {}
	troubles := []trouble{
		{"calm", nothing, nothing},
		{"memcached is gone", g.cache.Kill, g.cache.Start},
		{"memcached hangs", g.cache.Freeze, g.cache.Thaw},
		{"the first server cannot reach memcached", func() { g.nodes[0].cutOff(t, "memcached") }, func() { g.nodes[0].heal(t) }},
		{"the second server cannot reach memcached", func() { g.nodes[1].cutOff(t, "memcached") }, func() { g.nodes[1].heal(t) }},
		{"the first server cannot reach the database", func() { g.nodes[0].cutOff(t, "database") }, func() { g.nodes[0].heal(t) }},
		{"the database is gone", g.db.Kill, g.db.Start},
		{"calm again", nothing, nothing},
	}
	n := 0
	storetest.ServiceHistories(t, len(troubles), 1, func(t *testing.T) storetest.Service {
		x := &troubled{of: troubles[n%len(troubles)]}
		n++
		t.Log(x.of.name)
		t.Cleanup(func() { x.over(t) })
		return storetest.Service{Late: g.ttl, Servers: []http.RoundTripper{x.through(g.on(0)), x.through(g.on(1))}}
	})
}
