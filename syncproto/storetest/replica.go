package storetest

import (
	"reflect"

	"github.com/brownout-go/brownout/syncproto"
)

func (x *suite) apply(r syncproto.Replica, ch syncproto.Change) {
	x.Helper()
	if err := r.Apply(x.ctx(), apps, ch); err != nil {
		x.Fatalf("Apply: %v", err)
	}
}

func rec(t syncproto.Time, a syncproto.App) syncproto.Record {
	return syncproto.Record{Time: t, App: a}
}

var replicaCases = []test{
	{
		name:    "ApplyCarriesTimes",
		because: "a client that moves over to the copy goes on with the since and the uuid it has",
		replica: func(x *suite, r syncproto.Replica) {
			st := syncproto.State{UUID: "u-1", Last: 300}
			want := []syncproto.Record{rec(100, appN(1)), rec(200, appN(2)), rec(200, appN(3)), rec(300, appN(4))}
			x.apply(r, syncproto.Change{State: st, Records: want})
			p := x.read(apps, 0, 0)
			if p.state != st || !reflect.DeepEqual(p.records, want) {
				x.failf("applied %+v %+v, read %+v", st, want, p)
			}
			if got := x.read(apps, 100, 1); len(got.records) != 2 || !got.more {
				x.failf("since 1.00, limit 1: %+v", got)
			}
		},
	}, {
		name:    "ApplyInSteps",
		because: "a mirror carries over write after write, and repeats one when it doesn't know whether it arrived",
		replica: func(x *suite, r syncproto.Replica) {
			first := syncproto.Change{State: syncproto.State{UUID: "u-1", Last: 100}, Records: []syncproto.Record{rec(100, appN(1)), rec(100, appN(2))}}
			second := syncproto.Change{State: syncproto.State{UUID: "u-1", Last: 200}, Records: []syncproto.Record{rec(200, app("app1", `{"v":2}`))}}
			for _, ch := range []syncproto.Change{first, second, second, first} {
				x.apply(r, ch)
			}
			want := []syncproto.Record{rec(100, appN(2)), rec(200, app("app1", `{"v":2}`))}
			if p := x.read(apps, 0, 0); p.state != second.State || !reflect.DeepEqual(p.records, want) {
				x.failf("read %+v, want %+v at %+v", p, want, second.State)
			}
		},
	}, {
		name:    "ApplyOlderRecords",
		because: "a copy that missed a write is given it with a later one, and a client must not miss it there",
		replica: func(x *suite, r syncproto.Replica) {
			x.apply(r, syncproto.Change{State: syncproto.State{UUID: "u-1", Last: 200},
				Records: []syncproto.Record{rec(200, appN(2)), rec(100, appN(1))}})
			x.apply(r, syncproto.Change{State: syncproto.State{UUID: "u-1", Last: 400},
				Records: []syncproto.Record{rec(400, appN(1)), rec(300, appN(4)), rec(150, appN(3))}})
			all := []syncproto.Record{rec(150, appN(3)), rec(200, appN(2)), rec(300, appN(4)), rec(400, appN(1))}
			for i, since := range []syncproto.Time{0, 150, 200, 300, 400} {
				if p := x.read(apps, since, 0); len(p.records) != len(all)-i || len(p.records) > 0 && !reflect.DeepEqual(p.records, all[i:]) {
					x.failf("since %v: %+v, want %+v", since, p.records, all[i:])
				}
			}
		},
	}, {
		name:    "ApplyOverALife",
		because: "records of a life that ended must not show up in the next",
		replica: func(x *suite, r syncproto.Replica) {
			x.apply(r, syncproto.Change{State: syncproto.State{UUID: "u-1", Last: 100}, Records: []syncproto.Record{rec(100, appN(1))}})
			gone := syncproto.State{Last: 200, Deleted: &syncproto.Deletion{ClientID: "phone", Reason: "sold"}}
			x.apply(r, syncproto.Change{State: gone})
			if p := x.read(apps, 0, 0); !reflect.DeepEqual(p.state, gone) || len(p.records) > 0 {
				x.failf("after a deletion: %+v", p)
			}
			next := syncproto.State{UUID: "u-2", Last: 300}
			x.apply(r, syncproto.Change{State: next, Records: []syncproto.Record{rec(300, appN(2))}})
			if p := x.read(apps, 0, 0); p.state != next || len(p.records) != 1 {
				x.failf("the next life: %+v", p)
			}
			// The deletion between the two was missed.
			last := syncproto.State{UUID: "u-3", Last: 400}
			x.apply(r, syncproto.Change{State: last, Records: []syncproto.Record{rec(400, appN(3))}})
			if p := x.read(apps, 0, 0); p.state != last || len(p.records) != 1 {
				x.failf("the life after: %+v", p)
			}
		},
	}, {
		name:    "WriteAfterApply",
		because: "times go on from the copied ones when the copy takes over, even if its clock is behind",
		replica: func(x *suite, r syncproto.Replica) {
			far := syncproto.Time(40_000_000_000_00) // in the 33rd century
			x.apply(r, syncproto.Change{State: syncproto.State{UUID: "u-1", Last: far}, Records: []syncproto.Record{rec(far, appN(1))}})
			res := x.push(apps, appN(2))
			if res.Time <= far || res.Previous != far || res.UUID != "u-1" {
				x.failf("a write after an applied one at %v: %+v", far, res)
			}
			if again := x.push(apps, appN(3)); again.Time <= res.Time {
				x.failf("and another: %+v", again)
			}
		},
	},
}
