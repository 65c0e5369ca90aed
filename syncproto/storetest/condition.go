package storetest

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/brownout-go/brownout/syncproto"
)

func ifUnmodifiedSince(t syncproto.Time, apps ...syncproto.App) syncproto.Write {
	return syncproto.Write{Apps: apps, IfUnmodifiedSince: &t}
}

var conditionCases = []test{
	{
		name:    "IfUnmodifiedSince",
		because: "a client that has seen everything may write, one that has not may not",
		run: func(x *suite) {
			if _, err := x.Write(x.ctx(), apps, ifUnmodifiedSince(-5, appN(0))); err != nil {
				x.failf("the first write of a collection, if unmodified since -5: %v, want it to pass", err)
			}
			first := x.push(apps, appN(1))
			if _, err := x.Write(x.ctx(), apps, ifUnmodifiedSince(first.Time, appN(2))); err != nil {
				x.failf("written with the time of the last write: %v", err)
			}
			before := x.state(apps)
			res, err := x.Write(x.ctx(), apps, ifUnmodifiedSince(first.Time, appN(3), appN(1)))
			if !errors.Is(err, syncproto.ErrConflict) || res.Previous != before.Last || res.UUID != before.UUID {
				x.failf("written with an older time: %+v, %v; want ErrConflict and the state %+v", res, err, before)
			}
			if p := x.read(apps, 0, 0); p.state != before || len(p.records) != 3 {
				x.failf("a refused write left %+v, before it was %+v", p, before)
			}
		},
	}, {
		name:    "OneOfManyWins",
		because: "of two clients that both saw the same state and write, one would lose its update unheard",
		run: func(x *suite) {
			for round := range 5 {
				since := x.push(apps, appN(round)).Time
				var wg sync.WaitGroup
				var won atomic.Int32
				for i := range 4 {
					wg.Go(func() {
						switch _, err := x.Write(x.ctx(), apps, ifUnmodifiedSince(since, appN(100+i))); {
						case err == nil:
							won.Add(1)
						case !errors.Is(err, syncproto.ErrConflict):
							x.Errorf("Write: %v", err)
						}
					})
				}
				wg.Wait()
				if won.Load() != 1 {
					x.failf("round %d: %d of 4 conditional writes went through, want 1", round, won.Load())
				}
			}
		},
	}, {
		name:    "DeletionIsAModification",
		because: "a client that has not heard of a deletion must not bring the collection back by mistake",
		run: func(x *suite) {
			seen := x.push(apps, appN(1)).Time
			gone := x.delete(apps)
			if _, err := x.Write(x.ctx(), apps, ifUnmodifiedSince(seen, appN(1))); !errors.Is(err, syncproto.ErrConflict) {
				x.failf("a write from before the deletion: %v, want ErrConflict", err)
			}
			if x.state(apps).Deleted == nil {
				x.failf("the refused write removed the marker")
			}
			if _, err := x.Write(x.ctx(), apps, ifUnmodifiedSince(gone.Time, appN(1))); err != nil {
				x.failf("a write that knows of the deletion: %v", err)
			}
		},
	},
}
