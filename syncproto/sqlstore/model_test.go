package sqlstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// TestModel: whatever happens to collections in whatever order, in transactions
// shared with others and by two processes, the store has what a map has that is
// told of it, in the same order and from any time on.
func TestModel(t *testing.T) {
	for _, bits := range []int{31, 1} {
		t.Run(fmt.Sprintf("places of %d bits", bits), func(t *testing.T) { testModel(t, bits) })
	}
}

func testModel(t *testing.T, bits int) {
	dsn := file(t) + "?_pragma=synchronous(OFF)"
	stores := []*Store{crowded(t, dsn, bits), crowded(t, dsn, bits)}
	var wg sync.WaitGroup
	for user := range 6 {
		wg.Go(func() {
			m := &model{t: t, rng: rand.New(rand.NewPCG(7, uint64(user))), user: fmt.Sprintf("user%d@example.com", user), stores: stores}
			m.first = []syncproto.Time{1 << 38, lastSecond*100 - 5000, 1 << 40}[user%3] // the second goes past what has a number
			for range 150 {
				if m.step(); t.Failed() {
					return
				}
			}
		})
	}
	wg.Wait()
	var wrong int
	err := stores[0].db.QueryRow("SELECT COUNT(*) FROM sync_rows r LEFT JOIN sync_rows c ON c.id = r.collection AND c.account IS NOT NULL"+
		" WHERE c.id IS NULL OR r.id >> 32 <> c.id >> 32 OR r.origin IS NOT NULL AND r.id & 0xffffffff < MIN(r.written / 100, ?)"+
		" OR (r.origin IS NULL) <> (r.id & 0xffffffff >= ?)",
		lastSecond, firstCollection).Scan(&wrong)
	if err != nil || wrong != 0 {
		t.Errorf("%d records are nobody's, %v", wrong, err)
	}
}

// model is what one user should have. Times are years ahead of the clock, where
// a write does not wait for the next one.
type model struct {
	t      *testing.T
	rng    *rand.Rand
	user   string
	first  syncproto.Time
	stores []*Store
	memory syncproto.Memory // told of what was done by way of Apply
}

func (m *model) step() {
	ctx, s := m.t.Context(), m.stores[m.rng.IntN(len(m.stores))]
	key := syncproto.Key{User: m.user, Collection: fmt.Sprint("c", m.rng.IntN(3))}
	before, _ := m.memory.State(ctx, key)
	var w syncproto.Write
	for _, i := range m.rng.Perm(16)[:m.rng.IntN(14)] {
		w.Apps = append(w.Apps, app(fmt.Sprint("app", i), fmt.Sprint(m.rng.IntN(1000))))
	}
	switch n := m.rng.IntN(40); {
	case n == 0:
		m.check(s.Purge(ctx, m.user))
		m.check(m.memory.Purge(ctx, m.user))
	case n < 10 || before.Last == 0:
		ch := syncproto.Change{State: syncproto.State{UUID: before.UUID, Last: max(before.Last, m.first) + 300}}
		if ch.UUID == "" || m.rng.IntN(4) == 0 {
			ch.UUID = fmt.Sprint("uuid", m.rng.Uint32())
		}
		late := []int{9, 300, 2000}[m.rng.IntN(3)] // the last are from before some that are there
		for _, a := range w.Apps {
			ch.Records = append(ch.Records, syncproto.Record{Time: ch.Last - syncproto.Time(m.rng.IntN(late)), App: a})
		}
		if m.rng.IntN(6) == 0 { // came too late
			ch.Last = before.Last
		}
		m.check(s.Apply(ctx, key, ch))
		m.check(m.memory.Apply(ctx, key, ch))
	default:
		switch {
		case n < 14:
			w = syncproto.Write{Delete: &syncproto.Deletion{Reason: "tired of it"}}
		case n < 16:
			w.Quota.Apps = 8
		}
		res, err := s.Write(ctx, key, w)
		if quota := new(syncproto.QuotaError); w.Quota.Apps > 0 && errors.As(err, &quota) {
			break
		}
		m.check(err)
		ch := syncproto.Change{State: syncproto.State{UUID: res.UUID, Last: res.Time, Deleted: w.Delete}}
		for _, a := range w.Apps {
			ch.Records = append(ch.Records, syncproto.Record{Time: res.Time, App: a})
		}
		m.check(m.memory.Apply(ctx, key, ch))
	}
	m.compare(key)
}

func (m *model) check(err error) {
	if err != nil {
		m.t.Error(err)
	}
}

func (m *model) compare(key syncproto.Key) {
	ctx, s := m.t.Context(), m.stores[m.rng.IntN(len(m.stores))]
	want, _ := m.memory.Collections(ctx, m.user)
	if got, err := s.Collections(ctx, m.user); err != nil || !reflect.DeepEqual(got, want) {
		m.t.Errorf("%s has %+v, %v; want %+v", m.user, got, err, want)
	}
	sinces := []syncproto.Time{0, 1, 1 << 50}
	for _, r := range records(m.t, &m.memory, key, 0) {
		sinces = append(sinces, r.Time-1, r.Time)
	}
	for _, since := range slices.Compact(sinces) {
		limit := m.rng.IntN(7)
		got, gotMore := m.page(s, key, since, limit)
		if want, more := m.page(&m.memory, key, since, limit); got != want || more != gotMore {
			m.t.Errorf("%v since %v, limit %d: %s, more %v; want %s, %v", key, since, limit, got, gotMore, want, more)
		}
	}
}

func (m *model) page(s syncproto.Store, key syncproto.Key, since syncproto.Time, limit int) (page string, more bool) {
	var all []syncproto.Record
	more, err := s.Read(m.t.Context(), key, since, limit, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
		r.Doc = slices.Clone(r.Doc)
		all = append(all, r)
		return nil
	})
	m.check(err)
	return byOrigin(all), more
}
