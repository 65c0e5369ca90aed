package storetest

import (
	"slices"

	"github.com/brownout-go/brownout/syncproto"
)

var directoryCases = []test{
	{
		name:    "Collections",
		because: "a user is shown what they hold, an operator what to charge for",
		directory: func(x *suite, d syncproto.Directory) {
			user := apps.User
			if all, err := d.Collections(x.ctx(), user); err != nil || len(all) > 0 {
				x.failf("a user without collections: %+v, %v", all, err)
			}
			x.push(apps, app("a", `{"n":1}`), app("b", `{}`))
			x.push(apps, app("a", `{"nn":1}`))
			gone := syncproto.Key{User: user, Collection: "B"}
			x.push(gone, app("a", `{}`))
			x.delete(gone)
			x.push(syncproto.Key{User: "bob@example.com", Collection: "apps"}, app("a", `{}`))
			all, err := d.Collections(x.ctx(), user)
			if err != nil || len(all) != 2 {
				x.failf("Collections: %+v, %v; want 2", all, err)
			}
			if c := all[0]; c.Collection != "B" || c.Deleted == nil || c.Apps != 0 || c.Bytes != 0 {
				x.failf("deleted collection: %+v", c)
			}
			if c := all[1]; c.Collection != "apps" || c.State != x.state(apps) || c.Apps != 2 || c.Bytes != 10 {
				x.failf("collection: %+v, want 2 apps of 10 bytes at %+v", c, x.state(apps))
			}
		},
	}, {
		name:    "Users",
		because: "an export walks over everybody, a page at a time",
		directory: func(x *suite, d syncproto.Directory) {
			want := []string{"A", "a", "b@example.com", "é"}
			for _, u := range []string{"b@example.com", "é", "a", "A"} {
				x.push(syncproto.Key{User: u, Collection: "apps"}, appN(1))
				x.push(syncproto.Key{User: u, Collection: "more"}, appN(1))
			}
			var got []string
			for after := ""; ; {
				page, err := d.Users(x.ctx(), after, 3)
				if err != nil || len(page) > 3 {
					x.failf("Users: %q, %v", page, err)
				}
				if len(page) == 0 {
					break
				}
				got = append(got, page...)
				after = page[len(page)-1]
			}
			if !slices.Equal(got, want) {
				x.failf("Users: %q, want %q", got, want)
			}
		},
	}, {
		name:    "Purge",
		because: "a user who leaves is forgotten, and nobody else",
		directory: func(x *suite, d syncproto.Directory) {
			other := syncproto.Key{User: "bob@example.com", Collection: "apps"}
			w := syncproto.Write{ID: "once", Apps: []syncproto.App{app("a", `{}`)}}
			x.write(apps, w)
			x.push(other, appN(1))
			if err := d.Purge(x.ctx(), apps.User); err != nil {
				x.failf("Purge: %v", err)
			}
			if st := x.state(apps); st != (syncproto.State{}) || len(x.read(apps, 0, 0).records) > 0 {
				x.failf("after a purge: %+v", st)
			}
			if len(x.read(other, 0, 0).records) != 1 {
				x.failf("the purge took the apps of another user")
			}
			w.Quota = syncproto.Quota{Collections: 1, Apps: 1, Bytes: 2}
			if res := x.write(apps, w); res.Replayed || res.Previous != 0 {
				x.failf("written again after a purge: %+v, want a new beginning", res)
			}
			if err := d.Purge(x.ctx(), "nobody@example.com"); err != nil {
				x.failf("Purge of nobody: %v", err)
			}
		},
	},
}
