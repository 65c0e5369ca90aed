package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"modernc.org/sqlite"

	"github.com/brownout-go/brownout/syncproto"
)

// TestGroup: writes that share a transaction each come out as if alone, the
// ones that are refused, given up or broken included.
func TestGroup(t *testing.T) {
	dsn := file(t)
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s, err := Open(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		user := func(i int) syncproto.Key {
			return syncproto.Key{User: fmt.Sprint("user", i), Collection: "apps"}
		}
		if _, err := s.Write(ctx, user(3), syncproto.Write{Apps: []syncproto.App{app("old", `{}`)}}); err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithCancel(ctx)
		defer cancel()
		zero := syncproto.Time(0)
		var broken *sqlite.Error
		for _, good := range []bool{true, false} {
			// Somebody writes; meanwhile the others gather.
			s.group.writing <- struct{}{}
			writes := []struct {
				ctx   context.Context
				w     syncproto.Write
				check func(error) bool
			}{
				{ctx, syncproto.Write{}, func(err error) bool { return err == nil }},
				{ctx, syncproto.Write{}, func(err error) bool { return err == nil }},
				{ctx, syncproto.Write{Quota: syncproto.Quota{Bytes: 1}}, func(err error) bool { return errors.As(err, new(*syncproto.QuotaError)) }},
				{ctx, syncproto.Write{IfUnmodifiedSince: &zero}, func(err error) bool { return errors.Is(err, syncproto.ErrConflict) }},
				{gone, syncproto.Write{}, func(err error) bool { return errors.Is(err, context.Canceled) }},
			}
			if !good { // one that breaks the transaction: the column takes no NULL
				writes = append(writes, struct {
					ctx   context.Context
					w     syncproto.Write
					check func(error) bool
				}{ctx, syncproto.Write{Apps: []syncproto.App{{Origin: "null"}}}, func(err error) bool { return errors.As(err, &broken) }})
			}
			var wg sync.WaitGroup
			for i, c := range writes {
				if c.w.Apps == nil {
					c.w.Apps = []syncproto.App{app(fmt.Sprint("new", good), `{"n":1}`)}
				}
				wg.Go(func() {
					if _, err := s.Write(c.ctx, user(i), c.w); !c.check(err) {
						t.Errorf("write %d of %d: %v", i, len(writes), err)
					}
				})
			}
			synctest.Wait()
			if len(s.group.waiting) < 4 {
				t.Fatalf("%d writes are waiting: they don't gather", len(s.group.waiting))
			}
			cancel()
			synctest.Wait()
			<-s.group.writing
			wg.Wait()

			for i, want := range []int{1, 1, 0, 1, 0, 0} {
				if i < 2 && !good {
					want = 2
				}
				n := 0
				_, err := s.Read(ctx, user(i), 0, 0, func(syncproto.State) error { return nil }, func(syncproto.Record) error { n++; return nil })
				if err != nil || n != want {
					t.Errorf("user %d has %d apps, %v; want %d", i, n, err, want)
				}
			}
		}
	})
}

// TestGroupPanic: a panic in one goroutine leaves no other waiting.
func TestGroupPanic(t *testing.T) {
	dsn := file(t)
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		s, err := Open(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		s.group.writing <- struct{}{}
		var wg sync.WaitGroup
		var panics, failures int
		var mu sync.Mutex
		for range 3 {
			wg.Go(func() {
				defer func() {
					mu.Lock()
					defer mu.Unlock()
					if recover() != nil {
						panics++
					}
				}()
				err := s.transact(ctx, 1, func(*tx) error { panic("a bug") })
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					failures++
				}
			})
		}
		synctest.Wait()
		<-s.group.writing
		wg.Wait()
		if panics != 1 || failures != 2 {
			t.Errorf("%d panics and %d failures, want 1 and 2", panics, failures)
		}
		if _, err := s.Write(ctx, apps, syncproto.Write{Apps: []syncproto.App{app("a", `{}`)}}); err != nil {
			t.Errorf("the next write: %v", err)
		}
	})
}

// TestGroupTakes: a transaction takes no more than its share, in the order of
// coming, and anything that is larger alone.
func TestGroupTakes(t *testing.T) {
	g := newGroup(nil)
	for _, rows := range []int{2, maxGroup - 2, 1, maxGroup + 1, 5, 5} {
		g.waiting = append(g.waiting, &job{rows: rows})
	}
	for _, want := range []int{2, 1, 1, 2, 0} {
		if got := len(g.take()); got != want {
			t.Fatalf("took %d, want %d", got, want)
		}
	}
}
