package storetest

import (
	"fmt"
	"slices"

	"github.com/brownout-go/brownout/syncproto"
)

var writeCases = []test{
	{
		name:    "ReplaceIsWhole",
		because: "a push replaces the document, it does not merge it, and other devices have to hear of it",
		run: func(x *suite) {
			x.push(apps, app("a", `{"origin":"a","old":true}`), appN(2))
			res := x.push(apps, app("a", `{"origin":"a"}`))
			p := x.read(apps, 0, 0)
			if got, want := p.docs(), []string{string(appN(2).Doc), `{"origin":"a"}`}; !slices.Equal(got, want) {
				x.failf("after a replacement: %q, want %q", got, want)
			}
			if p.records[1].Time != res.Time || p.records[1].Origin != "a" {
				x.failf("the replaced record is %+v, want origin a at %v", p.records[1], res.Time)
			}
		},
	}, {
		name:    "ResultIsTheState",
		because: "received, which the client sends as its next since, is made of it",
		run: func(x *suite) {
			first := x.push(apps, appN(1))
			if first.Previous != 0 || first.Time == 0 || first.UUID == "" || first.Replayed {
				x.failf("first write: %+v", first)
			}
			second := x.push(apps, appN(2))
			if second.Previous != first.Time || second.UUID != first.UUID {
				x.failf("second write: %+v after %+v", second, first)
			}
			if st, want := x.state(apps), (syncproto.State{UUID: second.UUID, Last: second.Time}); st != want {
				x.failf("State %+v, want %+v", st, want)
			}
			if p := x.read(apps, second.Time, 0); p.state != x.state(apps) {
				x.failf("Read begins with %+v, State is %+v", p.state, x.state(apps))
			}
		},
	}, {
		name:    "UUIDOfALife",
		because: "clients start over when the uuid changes, and only then",
		run: func(x *suite) {
			seen := map[string]bool{}
			for i := range 5 {
				res := x.push(apps, appN(i))
				again := x.push(apps, appN(i))
				if res.UUID == "" || seen[res.UUID] || again.UUID != res.UUID {
					x.failf("life %d: uuid %q, then %q; had before: %v", i, res.UUID, again.UUID, seen)
				}
				seen[res.UUID] = true
				x.delete(apps)
			}
		},
	}, {
		name:    "NoApps",
		because: "an empty push is how a client makes a collection, and must not undo a deletion",
		run: func(x *suite) {
			made := x.push(apps)
			if made.UUID == "" || x.state(apps).UUID != made.UUID {
				x.failf("an empty write to a new collection: %+v, then %+v: want a uuid", made, x.state(apps))
			}
			if first := x.push(apps, appN(1)); first.UUID != made.UUID {
				x.failf("the first app changed the uuid from %q to %q", made.UUID, first.UUID)
			}
			before := x.state(apps)
			if res := x.push(apps); x.state(apps) != before || res.Time != before.Last || res.Previous != before.Last {
				x.failf("an empty write: %+v, %+v became %+v", res, before, x.state(apps))
			}
			x.delete(apps)
			gone := x.state(apps)
			x.push(apps)
			if st := x.state(apps); st.Deleted == nil || st.UUID != "" || st.Last != gone.Last {
				x.failf("an empty write to a deleted collection made it %+v", st)
			}
		},
	}, {
		name:    "CollectionsAreApart",
		because: "nobody reads or moves what belongs to somebody else",
		run: func(x *suite) {
			keys := []syncproto.Key{
				{User: "ann@example.com", Collection: "apps"},
				{User: "ann@example.com", Collection: "apps2"},
				{User: "bob@example.com", Collection: "apps"},
				{User: "ann@example.comapps", Collection: "x"},
				{User: "ann@example.com", Collection: "appsx"},
			}
			for i, k := range keys {
				x.push(k, app("same", fmt.Sprintf(`{"key":%d}`, i)))
			}
			before := make([]syncproto.State, len(keys))
			for i, k := range keys {
				before[i] = x.state(k)
				if got := x.read(k, 0, 0).docs(); len(got) != 1 || got[0] != fmt.Sprintf(`{"key":%d}`, i) {
					x.failf("%+v holds %q", k, got)
				}
			}
			x.delete(keys[0])
			for i, k := range keys[1:] {
				if st := x.state(k); st != before[i+1] {
					x.failf("the deletion of %+v turned %+v from %+v into %+v", keys[0], k, before[i+1], st)
				}
			}
		},
	},
}
