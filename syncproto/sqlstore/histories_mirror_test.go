package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/mirror"
)

// TestHistoriesMirror: a mirror of SQLite in a PostgreSQL that is killed, now
// and again, and is away for a while. Nobody who asks the mirror notices, and in
// the end PostgreSQL has everything.
func TestHistoriesMirror(t *testing.T) {
	t.Parallel()
	db := testserver.Postgres(t)
	primary := open(t, file(t))
	secondary, err := Open(t.Context(), postgresDSN(db))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = secondary.Close() }) // some of its connections are dead
	var failures, deaths atomic.Int64
	m, err := mirror.New(mirror.Config{
		Primary: primary, Secondary: secondary, Retry: 10 * time.Millisecond,
		OnEvent: func(e mirror.Event) {
			if e.Err != nil {
				failures.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	// One of the writers, before it goes on, kills the secondary or has it back.
	var (
		turn    sync.Mutex
		up      = true
		changed int64
	)
	s := &killing{Store: m, before: func(write int64) {
		if !turn.TryLock() {
			return // another one is at it
		}
		defer turn.Unlock()
		switch since := write - changed; {
		case up && since >= 40:
			deaths.Add(1)
			killDatabase(t, postgresDSN(db), db)
		case !up && since >= 20:
			db.Start()
		default:
			return
		}
		up, changed = !up, write
	}}
	all := histories(t, goodDays, 4000, s)

	db.Start()
	if _, err := m.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for after := ""; ; {
		users, err := primary.Users(t.Context(), after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(users) == 0 {
			break
		}
		for _, user := range users {
			for _, name := range []string{"apps", "more"} {
				key := syncproto.Key{User: user, Collection: name}
				here, err1 := dump(t.Context(), primary, key)
				there, err2 := dump(t.Context(), secondary, key)
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(here, there) {
					t.Errorf("%v is\n%q, and in the secondary\n%q", key, here, there)
				}
				compared++
			}
			after = user
		}
	}
	if all && (compared < goodDays || failures.Load() == 0 || deaths.Load() < 3) {
		t.Errorf("%d collections, %d failures, %d deaths: too good a day", compared, failures.Load(), deaths.Load())
	}
	t.Logf("%d collections; the secondary died %d times, %d copies failed", compared, deaths.Load(), failures.Load())
}

// dump is all that a client can see of a collection, but for the order of what
// one write wrote, which is nobody's.
func dump(ctx context.Context, s syncproto.Store, key syncproto.Key) (all []string, err error) {
	_, err = s.Read(ctx, key, 0, 0, func(st syncproto.State) error {
		all = append(all, fmt.Sprintf("%s %v %+v", st.UUID, st.Last, st.Deleted))
		return nil
	}, func(r syncproto.Record) error {
		all = append(all, fmt.Sprintf("%v %s %s", r.Time, r.Origin, r.Doc))
		return nil
	})
	slices.Sort(all)
	return all, err
}

// killing calls before with the number of each write, in the midst of the
// others.
type killing struct {
	*mirror.Store
	writes atomic.Int64
	before func(int64)
}

func (k *killing) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	k.before(k.writes.Add(1))
	return k.Store.Write(ctx, key, w)
}
