package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/syncproto"
)

// testBroken writes while connections to the database are reset: before a
// statement arrives, and after it was carried out and before the answer did. A
// writer that repeats with the same ID until it hears an answer has written
// once, at the time of that answer.
func testBroken(t *testing.T, dsn string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var inj faultconn.Injector
	connector, dialect, err := DialConnector(dsn, inj.Dialer("database", nil))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	s, err := New(ctx, db, dialect)
	if err != nil {
		t.Fatal(err)
	}
	rule := func(op faultconn.OpKind) faultconn.Rule {
		return faultconn.Rule{
			Name:   "reset at " + string(op),
			Select: faultconn.Select{Ops: []faultconn.OpKind{op}},
			Chance: 0.03,
			Fault:  fault.Reset{},
		}
	}
	undo, err := inj.With(faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{rule(faultconn.OpRead), rule(faultconn.OpWrite)}})
	if err != nil {
		t.Fatal(err)
	}

	const writers, each = 4, 25
	key := func(w int) syncproto.Key {
		return syncproto.Key{User: "broken@example.com", Collection: fmt.Sprint("c", w%2)}
	}
	var mu sync.Mutex
	answers := map[string]syncproto.Time{} // by origin
	failures := 0
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				origin := fmt.Sprintf("%d/%d", w, i)
				for {
					res, err := s.Write(ctx, key(w), syncproto.Write{ID: origin, Apps: []syncproto.App{app(origin, `{}`)}})
					mu.Lock()
					if err == nil {
						answers[origin] = res.Time
					} else {
						failures++
					}
					mu.Unlock()
					if err == nil {
						break
					}
					if ctx.Err() != nil {
						t.Errorf("write %s never went through: %v", origin, err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if unfired := inj.Unfired(); len(unfired) > 0 || failures == 0 {
		t.Errorf("rules that never struck: %v; %d writes failed", unfired, failures)
	}
	undo()

	found := 0
	for w := range 2 {
		times := map[syncproto.Time]bool{}
		_, err := s.Read(ctx, key(w), 0, 0, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
			if times[r.Time] || r.Time != answers[r.Origin] {
				t.Errorf("%s was written at %v and answered %v; time seen before: %v", r.Origin, r.Time, answers[r.Origin], times[r.Time])
			}
			times[r.Time] = true
			found++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found != writers*each {
		t.Errorf("%d records of %d writes", found, writers*each)
	}
}
