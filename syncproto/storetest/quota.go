package storetest

import (
	"errors"
	"fmt"

	"github.com/brownout-go/brownout/syncproto"
)

// refused demands that w is over the quota in what.
func (x *suite) refused(key syncproto.Key, w syncproto.Write, what string) {
	x.Helper()
	before := x.state(key)
	_, err := x.Write(x.ctx(), key, w)
	var q *syncproto.QuotaError
	if !errors.As(err, &q) || q.What != what || q.Have <= q.Limit {
		x.failf("Write: %v (%+v), want a QuotaError of %s", err, q, what)
	}
	if st := x.state(key); st != before {
		x.failf("a refused write turned %+v into %+v", before, st)
	}
}

var quotaCases = []test{
	{
		name:    "QuotaOfApps",
		because: "one collection must not grow without end, but its apps can always be replaced",
		run: func(x *suite) {
			q := syncproto.Quota{Apps: 2}
			x.write(apps, syncproto.Write{Apps: []syncproto.App{appN(1), appN(2)}, Quota: q})
			x.refused(apps, syncproto.Write{Apps: []syncproto.App{appN(1), appN(3)}, Quota: q}, "apps")
			x.write(apps, syncproto.Write{Apps: []syncproto.App{app("app1", `{}`)}, Quota: q})
			x.write(syncproto.Key{User: apps.User, Collection: "other"}, syncproto.Write{Apps: []syncproto.App{appN(3)}, Quota: q})
		},
	}, {
		name:    "QuotaOfBytes",
		because: "a user who is over has to be able to make things smaller",
		run: func(x *suite) {
			doc := func(n int) syncproto.App { return app("a", fmt.Sprintf("{%*s", n-1, "}")) }
			x.write(apps, syncproto.Write{Apps: []syncproto.App{doc(60)}})
			other := syncproto.Key{User: apps.User, Collection: "other"}
			q := syncproto.Quota{Bytes: 100}
			x.refused(other, syncproto.Write{Apps: []syncproto.App{doc(41)}, Quota: q}, "bytes")
			x.write(other, syncproto.Write{Apps: []syncproto.App{doc(40)}, Quota: q})
			x.write(other, syncproto.Write{Apps: []syncproto.App{doc(39)}, Quota: syncproto.Quota{Bytes: 10}})
			x.write(syncproto.Key{User: "bob@example.com", Collection: "apps"}, syncproto.Write{Apps: []syncproto.App{doc(100)}, Quota: q})
			x.delete(apps)
			x.write(other, syncproto.Write{Apps: []syncproto.App{doc(100)}, Quota: q})
		},
	}, {
		name:    "QuotaOfCollections",
		because: "every collection costs a little for ever, the deleted ones too",
		run: func(x *suite) {
			key := func(i int) syncproto.Key {
				return syncproto.Key{User: apps.User, Collection: fmt.Sprint("c", i)}
			}
			q := syncproto.Quota{Collections: 2}
			x.write(key(1), syncproto.Write{Apps: []syncproto.App{appN(1)}, Quota: q})
			x.write(key(2), syncproto.Write{Quota: q})
			x.refused(key(3), syncproto.Write{Apps: []syncproto.App{appN(1)}, Quota: q}, "collections")
			x.refused(key(3), syncproto.Write{Quota: q}, "collections")
			x.refused(key(3), syncproto.Write{Delete: &syncproto.Deletion{}, Quota: q}, "collections")
			x.write(key(2), syncproto.Write{Delete: &syncproto.Deletion{}, Quota: q})
			x.refused(key(3), syncproto.Write{Apps: []syncproto.App{appN(1)}, Quota: q}, "collections")
			x.write(key(2), syncproto.Write{Apps: []syncproto.App{appN(1)}, Quota: q})
		},
	},
}
