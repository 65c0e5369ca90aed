package cache_test

import (
	"context"
	"errors"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/cache"
)

// A late store gives up on writes and purges that happen later all the same, as
// one does whose commit is under way when the context ends.
type late struct {
	*asked
	giveUp   bool
	underWay []func()
}

func (l *late) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	if !l.giveUp {
		return l.Memory.Write(ctx, key, w)
	}
	l.underWay = append(l.underWay, func() { l.Memory.Write(context.Background(), key, w) })
	return syncproto.Result{}, context.DeadlineExceeded
}

func (l *late) Purge(ctx context.Context, user string) error {
	if !l.giveUp {
		return l.Memory.Purge(ctx, user)
	}
	l.underWay = append(l.underWay, func() { l.Memory.Purge(context.Background(), user) })
	return context.DeadlineExceeded
}

func (l *late) happen() {
	for _, f := range l.underWay {
		f()
	}
	l.underWay = nil
}

func newLate() *late { return &late{asked: &asked{Memory: new(syncproto.Memory)}} }

func last(t *testing.T, s syncproto.Store) syncproto.Time {
	t.Helper()
	st, err := s.State(t.Context(), annsApps)
	if err != nil {
		t.Fatal(err)
	}
	return st.Last
}

var oneApp = syncproto.Write{Apps: []syncproto.App{{Origin: "b", Doc: []byte(`{}`)}}}

func TestWriteThatHappensAfterItFailed(t *testing.T) {
	below := newLate()
	s := open(t, below, cache.Config{})
	before := put(t, s)
	last(t, s)
	below.giveUp = true
	if _, err := s.Write(t.Context(), annsApps, oneApp); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	for range 2 { // the first would remember the state before the write
		if got := last(t, s); got != before {
			t.Fatalf("state %v before the write happens, want %v", got, before)
		}
	}
	below.happen()
	if got := last(t, s); got <= before {
		t.Errorf("a poll is told of %v, and there was a write since", got)
	}

	// What succeeds now comes after all that was given up.
	below.giveUp = false
	put(t, s)
	n := below.n.Load()
	for range 10 {
		last(t, s)
	}
	if n = below.n.Load() - n; n != 1 {
		t.Errorf("10 looks after a write asked the store %d times, want 1", n)
	}
}

// A write that began before another one failed says nothing about that.
func TestWriteThatSucceedsBesideOneThatFails(t *testing.T) {
	below := newLate()
	var s syncproto.Store
	s = open(t, during{below, func() {
		below.giveUp = true
		s.Write(t.Context(), annsApps, oneApp)
		below.giveUp = false
	}}, cache.Config{})
	before := put(t, s)
	if got := last(t, s); got != before {
		t.Fatalf("state %v before the write happens, want %v", got, before)
	}
	below.happen()
	if got := last(t, s); got <= before {
		t.Errorf("a poll is told of %v, and there was a write since", got)
	}
}

// during does something during each write that is not given up.
type during struct {
	*late
	do func()
}

func (d during) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	res, err := d.late.Write(ctx, key, w)
	if err == nil {
		d.do()
	}
	return res, err
}

// What a store refuses did not happen, and is no reason to ask it more often.
func TestRefusedWriteIsNoDoubt(t *testing.T) {
	below := newLate()
	s := open(t, below, cache.Config{})
	put(t, s)
	never := syncproto.Time(1)
	for _, w := range []syncproto.Write{
		{Apps: oneApp.Apps, IfUnmodifiedSince: &never},
		{Apps: oneApp.Apps, Quota: syncproto.Quota{Apps: 1}},
	} {
		if _, err := s.Write(t.Context(), annsApps, w); err == nil {
			t.Fatalf("%+v is not refused", w)
		}
	}
	for range 10 {
		last(t, s)
	}
	if n := below.n.Load(); n != 1 {
		t.Errorf("10 looks asked the store %d times, want 1", n)
	}
}

func TestPurgeThatHappensAfterItFailed(t *testing.T) {
	below := newLate()
	s := open(t, below, cache.Config{}).(syncproto.Directory)
	put(t, s)
	below.giveUp = true
	if err := s.Purge(t.Context(), annsApps.User); err == nil {
		t.Fatal("a purge that was given up on succeeds")
	}
	below.giveUp = false
	put(t, s) // of one collection says nothing about the others
	for range 2 {
		last(t, s)
	}
	below.underWay[0]()
	if got := last(t, s); got != 0 {
		t.Errorf("a poll is told of %v, and the user is purged", got)
	}
	if err := s.Purge(t.Context(), annsApps.User); err != nil {
		t.Fatal(err)
	}
	n := below.n.Load()
	for range 10 {
		last(t, s)
	}
	if n = below.n.Load() - n; n != 1 {
		t.Errorf("10 looks after a purge asked the store %d times, want 1", n)
	}
}
