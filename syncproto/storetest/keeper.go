package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/client"
)

// keptCollection is where the keepers have their documents. Each document is a
// set of edits, and of two versions all edits are kept, so that none can be lost
// but by being overwritten unseen.
const keptCollection = "kept"

// keepers are what all of them have done.
type keepers struct {
	mu      sync.Mutex
	tried   map[string]bool // edits, by origin and name
	made    map[string]bool
	removed map[string]bool // seen by a device that removed their document
	ready   sync.WaitGroup  // until all have pushed what they have
}

func newKeepers(n int) *keepers {
	k := &keepers{tried: map[string]bool{}, made: map[string]bool{}, removed: map[string]bool{}}
	k.ready.Add(n)
	return k
}

// keeper is a [client.Device] that is restarted in the midst of what it does, with
// what it had stored by then.
type keeper struct {
	*historyDevice
	*keepers
	wire   *wire
	disk   disk
	device *client.Device
}

// disk is a storage that outlives its device.
type disk struct{ state []byte }

func (d *disk) Load(context.Context) ([]byte, error) { return d.state, nil }

func (d *disk) Save(ctx context.Context, state []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.state = state
	return nil
}

type kept struct {
	Origin string   `json:"origin"`
	Edits  []string `json:"edits"`
}

func edits(doc json.RawMessage) []string {
	var v kept
	_ = json.Unmarshal(doc, &v) // nil has none
	return v.Edits
}

func (k *keeper) open(ctx context.Context) (err error) {
	k.device, err = client.Open(ctx, client.Config{
		URL:        serviceURL,
		Collection: keptCollection,
		Login:      func(context.Context) (string, string, error) { return k.keys[0].User, "storetest", nil },
		HTTP:       &http.Client{Transport: k.wire},
		Storage:    &k.disk,
		Merge: func(origin string, local, remote json.RawMessage) json.RawMessage {
			if local == nil {
				return remote
			}
			all := append(edits(local), edits(remote)...)
			slices.Sort(all)
			b, _ := json.Marshal(kept{origin, slices.Compact(all)}) // of strings
			return b
		},
	})
	return err
}

func (k *keeper) run(ctx context.Context) error {
	done := sync.OnceFunc(k.ready.Done)
	defer done()
	if err := k.open(ctx); err != nil {
		return err
	}
	for i := range serviceActs {
		origin := fmt.Sprint("kept", k.rng.IntN(3))
		var err error
		switch k.rng.IntN(6) {
		case 0, 1:
			err = k.edit(ctx, origin, fmt.Sprintf("%d/%d", k.n, i))
		case 2:
			err = k.remove(ctx, origin)
		case 3: // a crash in the midst of it
			crash, cancel := context.WithTimeout(ctx, time.Duration(k.rng.IntN(5))*time.Millisecond)
			_, err = k.device.Sync(crash)
			cancel()
			if err := k.open(ctx); err != nil {
				return err
			}
		default:
			err = k.sync(ctx)
		}
		if err = k.tolerate(err); err != nil {
			return err
		}
	}
	return k.end(ctx, done)
}

// tolerate returns the errors that nothing excuses.
func (k *keeper) tolerate(err error) error {
	var status *client.StatusError
	var deleted *client.DeletedError
	switch {
	case errors.As(err, &deleted), errors.As(err, &status) && status.Status != http.StatusServiceUnavailable:
		return fmt.Errorf("%w: device %d: %v", errAnswer, k.n, err)
	case err != nil && !errors.Is(err, client.ErrBusy):
		k.h.failed()
	}
	return nil
}

// sync syncs. A device that began the collection, and whose answer was lost, does
// not know its uuid, and rightly begins anew when it sees what others wrote.
func (k *keeper) sync(ctx context.Context) error {
	var before struct {
		UUID string `json:"uuid"`
	}
	_ = json.Unmarshal(k.disk.state, &before) // nil before the first Sync
	rep, err := k.device.Sync(ctx)
	if rep.Restarted && before.UUID != "" {
		k.h.failf("device %d began anew, and the collection has had one life", k.n)
	}
	return err
}

func (k *keeper) note(edits map[string]bool, origin, name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	edits[origin+" "+name] = true
}

func (k *keeper) edit(ctx context.Context, origin, name string) error {
	k.note(k.tried, origin, name)
	all := append(edits(k.device.Get(origin)), name)
	slices.Sort(all)
	b, err := json.Marshal(kept{origin, all})
	if err != nil {
		return err
	}
	if err := k.device.Set(ctx, b); err != nil {
		return err
	}
	k.note(k.made, origin, name)
	return nil
}

func (k *keeper) remove(ctx context.Context, origin string) error {
	for _, name := range edits(k.device.Get(origin)) {
		k.note(k.removed, origin, name)
	}
	return k.device.Remove(ctx, origin)
}

// end syncs until all is where it belongs, together with the other keepers.
func (k *keeper) end(ctx context.Context, done func()) error {
	whole := func(ready func() bool) error {
		for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
			err := k.sync(ctx)
			if err == nil && ready() {
				return nil
			}
			if err := k.tolerate(err); err != nil {
				return err
			}
			if late := pause(ctx, wait); late != nil {
				return fmt.Errorf("storetest: device %d, with %d changes pending: %w", k.n, k.device.Pending(), errors.Join(err, late))
			}
		}
	}
	if err := whole(func() bool { return k.device.Pending() == 0 }); err != nil {
		return err
	}
	done()
	k.ready.Wait()
	// Now nobody writes any more, and each needs one more pull that is not late.
	quiet := time.Now()
	var lost, odd []string
	if err := whole(func() bool {
		if k.device.Pending() > 0 {
			return false
		}
		docs, err := k.fetch(ctx)
		if err != nil || !maps.EqualFunc(docs, k.device.All(), func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
			return false
		}
		lost, odd = k.compare(docs)
		return len(lost) == 0 || time.Since(quiet) > k.h.late
	}); err != nil {
		return err
	}
	for _, e := range lost {
		k.h.failf("device %d: the edit %s is lost", k.n, e)
	}
	for _, e := range odd {
		k.h.failf("device %d: nobody made the edit %s", k.n, e)
	}
	return nil
}

// compare returns the edits that were made, and removed by nobody, and are not
// there, and those that are there and nobody made.
func (k *keepers) compare(docs map[string]json.RawMessage) (lost, odd []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	have := map[string]bool{}
	for origin, doc := range docs {
		for _, name := range edits(doc) {
			have[origin+" "+name] = true
		}
	}
	for e := range k.made {
		if !have[e] && !k.removed[e] {
			lost = append(lost, e)
		}
	}
	for e := range have {
		if !k.tried[e] {
			odd = append(odd, e)
		}
	}
	return lost, odd
}

// fetch reads what the service has.
func (k *keeper) fetch(ctx context.Context) (map[string]json.RawMessage, error) {
	docs := map[string]json.RawMessage{}
	key := syncproto.Key{User: k.keys[0].User, Collection: keptCollection}
	for since, more := syncproto.Time(0), true; more; {
		p, _, err := k.wire.pull(ctx, key, since, "")
		if err != nil {
			return nil, err
		}
		for _, rec := range p.records {
			if docs[rec.Origin] = rec.Doc; strings.Contains(string(rec.Doc), `"deleted":true`) {
				delete(docs, rec.Origin)
			}
			since = rec.Time
		}
		more = p.more
	}
	return docs, nil
}
