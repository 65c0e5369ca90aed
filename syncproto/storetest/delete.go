package storetest

import "github.com/brownout-go/brownout/syncproto"

var deleteCases = []test{
	{
		name:    "Delete",
		because: "other devices learn who deleted the collection and why, and find nothing of it",
		run: func(x *suite) {
			made := x.push(apps, appN(1), appN(2))
			gone := x.delete(apps)
			if gone.Time <= made.Time || gone.Previous != made.Time || gone.UUID != "" {
				x.failf("deletion: %+v after %+v", gone, made)
			}
			p := x.read(apps, 0, 0)
			if d := p.state.Deleted; d == nil || *d != (syncproto.Deletion{ClientID: "phone", Reason: "sold"}) {
				x.failf("marker %+v, want phone, sold", d)
			}
			if len(p.records) > 0 || p.more || p.state.UUID != "" || p.state.Last != gone.Time {
				x.failf("a deleted collection reads as %+v", p)
			}
		},
	}, {
		name:    "DeleteNeverWritten",
		because: "a deletion that nothing preceded is still told to the other devices",
		run: func(x *suite) {
			x.delete(apps)
			if st := x.state(apps); st.Deleted == nil || st.Last == 0 {
				x.failf("State %+v, want a marker with a time", st)
			}
		},
	}, {
		name:    "DeleteTwice",
		because: "the first deletion is the one that happened",
		run: func(x *suite) {
			x.push(apps, appN(1))
			first := x.delete(apps)
			again := x.write(apps, syncproto.Write{Delete: &syncproto.Deletion{ClientID: "laptop"}})
			if st := x.state(apps); st.Deleted == nil || st.Deleted.ClientID != "phone" || st.Last != first.Time || again.Time != first.Time {
				x.failf("after a second deletion (%+v): %+v, marker %+v, want the first to stay", again, st, st.Deleted)
			}
		},
	}, {
		name:    "WriteAfterDelete",
		because: "the new life has none of the old apps, another uuid, and later times, or clients mix the two",
		run: func(x *suite) {
			old := x.push(apps, appN(1), appN(2))
			gone := x.delete(apps)
			made := x.push(apps, appN(2))
			p := x.read(apps, 0, 0)
			if p.state.Deleted != nil || made.UUID == old.UUID || made.UUID == "" || made.Time <= gone.Time || made.Previous != gone.Time {
				x.failf("written again: %+v, %+v; the old life was %+v", made, p.state, old)
			}
			if got := p.docs(); len(got) != 1 || got[0] != string(appN(2).Doc) {
				x.failf("the new life holds %q", got)
			}
		},
	},
}
