package mirror_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/mirror"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// secondary fails while down.
type secondary struct {
	syncproto.Memory
	down  atomic.Bool
	calls atomic.Int32
}

var errDown = errors.New("down")

func (s *secondary) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	s.calls.Add(1)
	if s.down.Load() {
		return syncproto.State{}, errDown
	}
	return s.Memory.State(ctx, key)
}

func (s *secondary) Apply(ctx context.Context, key syncproto.Key, ch syncproto.Change) error {
	if s.down.Load() {
		return errDown
	}
	return s.Memory.Apply(ctx, key, ch)
}

func start(t *testing.T, c mirror.Config) *mirror.Store {
	t.Helper()
	if c.Primary == nil {
		c.Primary = new(syncproto.Memory)
	}
	if c.Secondary == nil {
		c.Secondary = new(syncproto.Memory)
	}
	s, err := mirror.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncproto.Store { return start(t, mirror.Config{}) })
}

func key(i int) syncproto.Key {
	return syncproto.Key{User: fmt.Sprintf("user%d", i%3), Collection: fmt.Sprint("c", i)}
}

func push(t *testing.T, s syncproto.Store, k syncproto.Key, origins ...string) {
	t.Helper()
	var w syncproto.Write
	for _, o := range origins {
		w.Apps = append(w.Apps, syncproto.App{Origin: o, Doc: json.RawMessage(fmt.Sprintf(`{"origin":%q,"at":%d}`, o, time.Now().UnixNano()))})
	}
	if _, err := s.Write(t.Context(), k, w); err != nil {
		t.Fatal(err)
	}
}

// dump is a collection as a client that pulls all of it sees it.
func dump(t *testing.T, s syncproto.Store, k syncproto.Key) (st syncproto.State, all []string) {
	t.Helper()
	_, err := s.Read(t.Context(), k, 0, 0, func(state syncproto.State) error {
		st = state
		return nil
	}, func(r syncproto.Record) error {
		all = append(all, fmt.Sprintf("%v %s %s", r.Time, r.Origin, r.Doc))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return st, all
}

func same(t *testing.T, a, b syncproto.Store, k syncproto.Key) {
	t.Helper()
	sa, ra := dump(t, a, k)
	sb, rb := dump(t, b, k)
	if !reflect.DeepEqual(sa, sb) || !reflect.DeepEqual(ra, rb) {
		t.Errorf("%v: the primary has %+v %v, the secondary %+v %v", k, sa, ra, sb, rb)
	}
}

func synced(t *testing.T, s *mirror.Store) {
	t.Helper()
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sec := new(secondary)
		s := start(t, mirror.Config{Secondary: sec})
		for i := range 30 {
			k := key(i % 7)
			switch {
			case i%11 == 10:
				if _, err := s.Write(t.Context(), k, syncproto.Write{Delete: &syncproto.Deletion{ClientID: "x"}}); err != nil {
					t.Fatal(err)
				}
			default:
				push(t, s, k, fmt.Sprint("app", i%4), "each")
			}
			if i%5 == 0 {
				synced(t, s)
			}
		}
		synced(t, s)
		for i := range 7 {
			same(t, s, sec, key(i))
		}
	})
}

func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary, sec := new(syncproto.Memory), new(secondary)
		for i := range 1203 {
			push(t, primary, key(0), fmt.Sprint("app", i%1100))
		}
		s := start(t, mirror.Config{Primary: primary, Secondary: sec})
		if n, err := s.Repair(t.Context()); n != 1 || err != nil {
			t.Fatalf("Repair: %d, %v; want one collection", n, err)
		}
		synced(t, s)
		same(t, s, sec, key(0))
		if n, err := s.Repair(t.Context()); n != 0 || err != nil {
			t.Errorf("Repair again: %d, %v", n, err)
		}
	})
}

// Requests go on while the secondary is away, and it catches up afterwards.
func TestSecondaryDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sec := new(secondary)
		sec.down.Store(true)
		var failures, copies int
		s := start(t, mirror.Config{Secondary: sec, Workers: 1, OnEvent: func(e mirror.Event) {
			if e.Err != nil {
				failures++
				if !errors.Is(e.Err, errDown) {
					t.Errorf("event %+v", e)
				}
			} else {
				copies++
			}
		}})
		begin := time.Now()
		for i := range 20 {
			push(t, s, key(i), "a")
			push(t, s, key(i), "b")
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("40 writes took %v", took)
		}
		time.Sleep(10 * time.Minute)
		if n := sec.calls.Load(); n > 20 {
			t.Errorf("the secondary was asked %d times in ten minutes of being down", n)
		}
		if s.Pending() != 20 {
			t.Errorf("%d pending, want 20", s.Pending())
		}
		sec.down.Store(false)
		synced(t, s)
		for i := range 20 {
			same(t, s, sec, key(i))
		}
		synctest.Wait()
		if failures == 0 || copies != 20 {
			t.Errorf("%d failures and %d copies told", failures, copies)
		}
	})
}

func TestTooManyPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sec := new(secondary)
		sec.down.Store(true)
		s := start(t, mirror.Config{Secondary: sec, Pending: 3})
		for i := range 20 {
			push(t, s, key(i), "a")
		}
		if s.Pending() != 3 {
			t.Errorf("%d pending, want the 3 allowed", s.Pending())
		}
		sec.down.Store(false)
		time.Sleep(time.Hour)
		synced(t, s)
		for i := range 20 {
			same(t, s, sec, key(i))
		}
	})
}

func TestDiverged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sec := new(secondary)
		var events []mirror.Event
		s := start(t, mirror.Config{Secondary: sec, OnEvent: func(e mirror.Event) { events = append(events, e) }})
		push(t, s, key(0), "a")
		synced(t, s)
		time.Sleep(time.Second)
		push(t, sec, key(0), "not the mirror's")
		push(t, s, key(1), "a") // and so a repair has something else to find
		s.Repair(t.Context())
		diverged := func() {
			t.Helper()
			if err := s.Sync(t.Context()); !errors.Is(err, mirror.ErrDiverged) {
				t.Errorf("Sync with a collection that has diverged: %v", err)
			}
		}
		diverged()
		synctest.Wait()
		var told bool
		for _, e := range events {
			told = told || errors.Is(e.Err, mirror.ErrDiverged)
		}
		if !told {
			t.Errorf("events %+v: want ErrDiverged", events)
		}

		// What is written later is copied, and what differs stays.
		time.Sleep(time.Second)
		push(t, s, key(0), "b")
		diverged()
		if _, all := dump(t, sec, key(0)); len(all) != 3 {
			t.Errorf("the secondary has %q", all)
		}
		if err := sec.Purge(t.Context(), key(0).User); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		synced(t, s)
		same(t, s, sec, key(0))
	})
}

func TestPurge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sec := new(secondary)
		s := start(t, mirror.Config{Secondary: sec})
		push(t, s, key(0), "a")
		synced(t, s)
		if err := s.Purge(t.Context(), key(0).User); err != nil {
			t.Fatal(err)
		}
		if st, _ := dump(t, sec, key(0)); st != (syncproto.State{}) {
			t.Errorf("the secondary still has %+v", st)
		}
	})
}

// gated lets an Apply wait until it may happen.
type gated struct {
	syncproto.Memory
	begun, open chan struct{}
}

func (g *gated) Apply(ctx context.Context, key syncproto.Key, ch syncproto.Change) error {
	g.begun <- struct{}{}
	<-g.open
	return g.Memory.Apply(ctx, key, ch)
}

// What is being copied while its user is purged is not there afterwards.
func TestPurgeWhileCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sec := &gated{begun: make(chan struct{}), open: make(chan struct{})}
		s := start(t, mirror.Config{Secondary: sec, Workers: 1})
		push(t, s, key(0), "a")
		<-sec.begun

		// Nobody waits for a secondary for longer than he likes.
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Purge(soon, key(0).User); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a purge during a copy that hangs: %v", err)
		}
		if st, _ := dump(t, s, key(0)); st == (syncproto.State{}) {
			t.Error("it has purged the primary all the same")
		}

		purged := make(chan error)
		go func() { purged <- s.Purge(t.Context(), key(0).User) }()
		synctest.Wait()
		push(t, s, key(1), "of another user")
		close(sec.open)
		if err := <-purged; err != nil {
			t.Fatal(err)
		}
		<-sec.begun // of the other user's
		synced(t, s)
		if st, all := dump(t, sec, key(0)); st != (syncproto.State{}) || len(all) > 0 {
			t.Errorf("the secondary has %+v, %q of a user who was purged", st, all)
		}
		same(t, s, sec, key(1))
		go func() { <-sec.begun }()
		push(t, s, key(0), "again")
		synced(t, s)
		same(t, s, sec, key(0))
	})
}

// largest remembers how much was applied at once.
type largest struct {
	syncproto.Memory
	bytes int
}

func (l *largest) Apply(ctx context.Context, key syncproto.Key, ch syncproto.Change) error {
	bytes := 0
	for _, r := range ch.Records {
		bytes += len(r.Doc)
	}
	l.bytes = max(l.bytes, bytes)
	return l.Memory.Apply(ctx, key, ch)
}

// However much a user has, a copy takes a few megabytes of memory at a time.
func TestLargeDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary, sec := new(syncproto.Memory), new(largest)
		doc, err := json.Marshal(map[string]string{"x": strings.Repeat("x", 1<<20)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			apps := []syncproto.App{{Origin: fmt.Sprint("a", i), Doc: doc}, {Origin: fmt.Sprint("b", i), Doc: doc}}
			if _, err := primary.Write(t.Context(), key(0), syncproto.Write{Apps: apps}); err != nil {
				t.Fatal(err)
			}
		}
		s := start(t, mirror.Config{Primary: primary, Secondary: sec})
		if n, err := s.Repair(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		synced(t, s)
		same(t, s, sec, key(0))
		if sec.bytes > 6<<20 || sec.bytes < 4<<20 {
			t.Errorf("%d bytes at once", sec.bytes)
		}
	})
}

func TestConfig(t *testing.T) {
	m := new(syncproto.Memory)
	for _, c := range []mirror.Config{{}, {Primary: m}, {Secondary: m}, {Primary: m, Secondary: m, Workers: -1}} {
		if _, err := mirror.New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func Example() {
	ctx := context.Background()
	primary, secondary := new(syncproto.Memory), new(syncproto.Memory)
	s, err := mirror.New(mirror.Config{Primary: primary, Secondary: secondary})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ann := syncproto.Key{User: "ann@example.com", Collection: "apps"}
	s.Write(ctx, ann, syncproto.Write{Apps: []syncproto.App{{Origin: "a", Doc: json.RawMessage(`{"origin":"a"}`)}}})

	if err := s.Sync(ctx); err != nil {
		fmt.Println(err)
		return
	}
	here, _ := primary.State(ctx, ann)
	there, _ := secondary.State(ctx, ann)
	fmt.Println(here == there)
	// Output: true
}
