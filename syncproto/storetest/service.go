package storetest

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// A Service is one or more servers over one database, each serving what [Handler]
// made.
type Service struct {
	// Servers send a request each to a server of its own. The request's URL is
	// that of the service, http://service.example, and names none of them.
	Servers []http.RoundTripper
	// Late is by how much a poll may be late, because of what is cached: it may
	// say until then that there is no news. Zero is never.
	Late time.Duration
}

// ServiceHistories does with a service what [Histories] does with stores, and
// more: beside the devices that read and write, at times under a quota, in pages,
// on conditions in all their forms, with and without what a cache has, there are
//
//   - clients of the first kind, which take until and received for their next
//     since and send no condition;
//   - clients that wait, in a pull or at a stream of events;
//   - clients that ask for what they may not;
//   - a few [client.Device] that are restarted in the midst of what they do.
//
// The history must be such as Histories wants it; besides, who is told of news
// must find it, a client of the first kind must have all that there is after
// each pull, and in the end each Device must have all that was set on any.
//
// Servers may answer 503, break off, be killed and come back at any time. No
// other status is excused by that, and in particular no 401: a session must
// outlive its server.
func ServiceHistories(t *testing.T, n int, seed uint64, open func(t *testing.T) Service) {
	play(t, n, seed, func(t *testing.T, rng *rand.Rand) (*history, error) {
		return open(t).record(t.Context(), rng)
	})
}

const (
	firstClients   = 2
	serviceDevices = 2
	serviceActs    = 10
)

func (s Service) record(ctx context.Context, rng *rand.Rand) (*history, error) {
	var places []place
	for i := range s.Servers {
		places = append(places, newWire(s.Servers, func() int { return i }))
	}
	return record(ctx, rng, &history{late: s.Late}, places, func(auditor *historyDevice) []func(context.Context) error {
		member := func(n int) *historyDevice {
			return &historyDevice{
				n: n, h: auditor.h, keys: auditor.keys, places: places, since: map[syncproto.Key]syncproto.Time{},
				rng: rand.New(rand.NewPCG(rng.Uint64(), uint64(n))),
			}
		}
		all := []func(context.Context) error{
			(&watcher{historyDevice: member(300), wire: s.client(rng)}).run,
			(&intruder{historyDevice: member(400), wire: s.client(rng)}).run,
		}
		for i := range firstClients {
			d := member(100 + i)
			all = append(all, (&firstClient{historyDevice: d, wire: s.client(rng), key: d.keys[i%len(d.keys)]}).run)
		}
		keepers := newKeepers(serviceDevices)
		for i := range serviceDevices {
			all = append(all, (&keeper{historyDevice: member(200 + i), keepers: keepers, wire: s.client(rng)}).run)
		}
		return all
	})
}

// client is one whose requests go to any of the servers.
func (s Service) client(rng *rand.Rand) *wire {
	var mu sync.Mutex
	own := rand.New(rand.NewPCG(rng.Uint64(), 0))
	return newWire(s.Servers, func() int {
		mu.Lock()
		defer mu.Unlock()
		return own.IntN(len(s.Servers))
	})
}
