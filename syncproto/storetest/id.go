package storetest

import (
	"strings"
	"sync"

	"github.com/brownout-go/brownout/syncproto"
)

var idCases = []test{
	{
		name:    "SameIDWritesOnce",
		because: "a client whose answer was lost sends the write again",
		run: func(x *suite) {
			w := syncproto.Write{ID: strings.Repeat("i", 64), Apps: []syncproto.App{appN(1)}}
			first := x.write(apps, w)
			if again := x.write(apps, w); !again.Replayed || again.Time != first.Time || again.UUID != first.UUID || first.Replayed {
				x.failf("first %+v, again %+v", first, again)
			}
			other := x.push(apps, app("app1", `{"by":"another"}`))
			again := x.write(apps, w)
			if !again.Replayed || again.Time != first.Time || again.Previous != other.Time {
				x.failf("again %+v, want the time of the first write (%v) and what was written since as previous (%v)", again, first.Time, other.Time)
			}
			if got := x.read(apps, 0, 0).docs(); len(got) != 1 || got[0] != `{"by":"another"}` {
				x.failf("the repeated write undid a later one: %q", got)
			}
			w.ID = "another"
			if res := x.write(apps, w); res.Replayed || res.Time <= other.Time {
				x.failf("another ID: %+v, want a write of its own", res)
			}
			if res := x.write(syncproto.Key{User: apps.User, Collection: "other"}, w); res.Replayed {
				x.failf("the same ID in another collection: %+v, want a write of its own", res)
			}
		},
	}, {
		name:    "IDBeforeCondition",
		because: "a repeated write would conflict with itself",
		run: func(x *suite) {
			w := ifUnmodifiedSince(x.push(apps, appN(0)).Time, appN(1))
			w.ID = "once"
			first := x.write(apps, w)
			if again := x.write(apps, w); !again.Replayed || again.Time != first.Time {
				x.failf("first %+v, again %+v", first, again)
			}
		},
	}, {
		name:    "RefusedIDIsFree",
		because: "a client may send a refused write again once it has looked",
		run: func(x *suite) {
			seen := x.push(apps, appN(0)).Time
			now := x.push(apps, appN(1)).Time
			w := ifUnmodifiedSince(seen, appN(2))
			w.ID = "try"
			if _, err := x.Write(x.ctx(), apps, w); err == nil {
				x.failf("the conditional write went through")
			}
			w.IfUnmodifiedSince = &now
			if res := x.write(apps, w); res.Replayed {
				x.failf("the second try is taken for a replay: %+v", res)
			}
		},
	}, {
		name:    "IDOutlivesDeletion",
		because: "a late copy of a push must not bring a deleted collection back, nor one of a deletion delete the next",
		run: func(x *suite) {
			w := syncproto.Write{ID: "push", Apps: []syncproto.App{appN(1)}}
			x.write(apps, w)
			d := syncproto.Write{ID: "delete", Delete: &syncproto.Deletion{ClientID: "phone"}}
			x.write(apps, d)
			if res := x.write(apps, w); !res.Replayed || x.state(apps).Deleted == nil {
				x.failf("the copy of a push after the deletion: %+v, state %+v", res, x.state(apps))
			}
			x.push(apps, appN(2))
			if res := x.write(apps, d); !res.Replayed || x.state(apps).Deleted != nil {
				x.failf("the copy of a deletion after the next push: %+v, state %+v", res, x.state(apps))
			}
		},
	}, {
		name:    "CopiesAtOnce",
		because: "a client that gives up and repeats may be answered by two servers at the same time",
		run: func(x *suite) {
			w := syncproto.Write{ID: "same", Apps: []syncproto.App{appN(1)}}
			var wg sync.WaitGroup
			var mu sync.Mutex
			var fresh int
			for range 4 {
				wg.Go(func() {
					res, err := x.Write(x.ctx(), apps, w)
					if err != nil {
						x.Errorf("Write: %v", err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					if !res.Replayed {
						fresh++
					}
				})
			}
			wg.Wait()
			if fresh != 1 {
				x.failf("%d of 4 copies were written, want 1", fresh)
			}
		},
	},
}
