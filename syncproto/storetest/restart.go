package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// Restart asks what a store knows when it was closed, or its process killed, and
// opened again. Open makes an empty database and returns a function that opens
// the store in it. That one is called several times; the store of the call
// before is not used any more, and is the function's to close.
func Restart(t *testing.T, open func(t *testing.T) (reopen func() syncproto.Store)) {
	for _, c := range restartCases {
		t.Run(c.name, func(t *testing.T) {
			reopen := open(t)
			x := &suite{T: t, Store: reopen(), because: c.because}
			c.run(x, func() { x.Store = reopen() })
		})
	}
}

var restartCases = []struct {
	name    string
	because string
	run     func(x *suite, restart func())
}{
	{
		name:    "DocumentsOutliveRestarts",
		because: "an acknowledged update is not pushed again, and is answered byte for byte as it came",
		run: func(x *suite, restart func()) {
			var keys []syncproto.Key
			for _, n := range names {
				keys = append(keys, syncproto.Key{User: n, Collection: "apps"}, syncproto.Key{User: "names", Collection: n})
			}
			for _, k := range keys {
				var all []syncproto.App
				for i, d := range verbatim {
					all = append(all, app(fmt.Sprint(k.User, k.Collection, i), d))
				}
				x.push(k, all...)
				x.push(k, all[1])
			}
			before := make(map[syncproto.Key]page)
			for _, k := range keys {
				before[k] = x.read(k, 0, 0)
			}
			restart()
			for _, k := range keys {
				// Records of one time come in any order.
				if got, want := x.read(k, 0, 0), before[k]; got.state != want.state || !reflect.DeepEqual(byOrigin(got), byOrigin(want)) {
					x.failf("%+q after a restart: %+v, want %+v", k, got, want)
				}
			}
		},
	}, {
		name:    "LivesOutliveRestarts",
		because: "a client that knows a uuid goes on from where it is, and one that comes late has to hear of a deletion",
		run: func(x *suite, restart func()) {
			bare := syncproto.Key{User: apps.User, Collection: "bare"}
			x.push(bare)
			x.push(apps, appN(1))
			x.delete(apps)
			before := [2]syncproto.State{x.state(bare), x.state(apps)}
			restart()
			if got := [2]syncproto.State{x.state(bare), x.state(apps)}; !reflect.DeepEqual(got, before) {
				x.failf("after a restart %+v, before it %+v", got, before)
			}
			if p := x.read(apps, 0, 0); len(p.records) > 0 {
				x.failf("a restart brought back what was deleted: %+v", p)
			}
			if res := x.push(apps, appN(2)); res.UUID == "" || res.Time <= before[1].Last || res.Previous != before[1].Last {
				x.failf("written again after a restart: %+v, the deletion was at %v", res, before[1].Last)
			}
		},
	}, {
		name:    "IDsOutliveRestarts",
		because: "a client whose answer was lost in the crash sends the write again, and somebody else may have written before it does",
		run: func(x *suite, restart func()) {
			push := syncproto.Write{ID: strings.Repeat("i", 64), Apps: []syncproto.App{appN(1)}}
			none := syncproto.Write{ID: "nothing to write"}
			gone := syncproto.Write{ID: "delete", Delete: &syncproto.Deletion{ClientID: "phone"}}
			first := x.write(apps, push)
			x.write(apps, none)
			x.write(apps, gone)
			other := x.push(apps, appN(2))
			restart()
			if again := x.write(apps, push); !again.Replayed || again.Time != first.Time || again.Previous != other.Time {
				x.failf("first %+v, then a write at %v, then again after a restart %+v", first, other.Time, again)
			}
			for _, w := range []syncproto.Write{none, gone} {
				if again := x.write(apps, w); !again.Replayed {
					x.failf("the write with ID %q again after a restart: %+v, want a replay", w.ID, again)
				}
			}
			if got := x.read(apps, 0, 0).docs(); len(got) != 1 || got[0] != string(appN(2).Doc) {
				x.failf("repeated writes left %q, want what somebody else wrote", got)
			}
		},
	}, {
		name:    "TimesIncreaseOverRestarts",
		because: "a client that has everything up to a time asks for nothing before it again",
		run: func(x *suite, restart func()) {
			last := x.push(apps, appN(0)).Time
			if r, ok := x.Store.(syncproto.Replica); ok { // as if the clock had been set back meanwhile
				last = syncproto.TimeOf(time.Now().Add(24 * time.Hour))
				x.apply(r, syncproto.Change{State: syncproto.State{UUID: "u-1", Last: last}, Records: []syncproto.Record{rec(last, appN(0))}})
			}
			for i := range 3 {
				restart()
				res := x.push(apps, appN(i+1))
				if res.Time <= last || res.Previous != last {
					x.failf("a write after a restart: %+v, the one before it was at %v", res, last)
				}
				if _, err := x.Write(x.ctx(), apps, ifUnmodifiedSince(last, appN(0))); !errors.Is(err, syncproto.ErrConflict) {
					x.failf("written with the time of before the restart: %v, want ErrConflict", err)
				}
				last = res.Time
			}
		},
	}, {
		name:    "QuotasOutliveRestarts",
		because: "what a user holds does not become less, nor more, by a crash",
		run: func(x *suite, restart func()) {
			q := syncproto.Quota{Collections: 2, Apps: 2, Bytes: 40}
			doc := func(origin string, n int) syncproto.App { return app(origin, fmt.Sprintf("{%*s", n-1, "}")) }
			x.push(apps, doc("a", 30), doc("b", 10))
			gone := syncproto.Key{User: apps.User, Collection: "gone"}
			x.push(gone, doc("a", 30))
			x.delete(gone)
			restart()
			x.refused(apps, syncproto.Write{Apps: []syncproto.App{doc("a", 20), doc("c", 10)}, Quota: q}, "apps")
			x.refused(apps, syncproto.Write{Apps: []syncproto.App{doc("b", 11)}, Quota: q}, "bytes")
			x.refused(syncproto.Key{User: apps.User, Collection: "third"}, syncproto.Write{Quota: q}, "collections")
			x.write(apps, syncproto.Write{Apps: []syncproto.App{doc("a", 10), doc("b", 30)}, Quota: q})
			if d, ok := x.Store.(syncproto.Directory); ok {
				all, err := d.Collections(x.ctx(), apps.User)
				if err != nil || len(all) != 2 || all[0].Apps != 2 || all[0].Bytes != 40 || all[1].Apps != 0 || all[1].Bytes != 0 {
					x.failf("Collections: %+v, %v; want 2 apps of 40 bytes, and nothing of what was deleted", all, err)
				}
			}
		},
	},
}

func byOrigin(p page) map[string]syncproto.Record {
	m := make(map[string]syncproto.Record)
	for _, r := range p.records {
		m[r.Origin] = r
	}
	return m
}
