package storetest

import (
	"fmt"
	"strings"

	"github.com/brownout-go/brownout/syncproto"
)

// names are all different, byte for byte.
var names = []string{
	"a", "A", "a ", " a", "á", "a\u0301", "ß", "ss", "%", "_", "a%", "*", "?", "'", `"`, `\`, "/", "..", "%40", "@", "+", ";--", "$1", "NULL", "日本", "😀",
}

// named is a document that says a name.
func named(n string) string { return fmt.Sprintf(`{"name":%q}`, n) }

var nameCases = []test{
	{
		name:    "NamesAreBytes",
		because: "a database that folds case, accents or spaces gives one user the apps of another",
		run: func(x *suite) {
			for _, n := range names {
				x.push(syncproto.Key{User: n, Collection: "apps"}, app("user", named(n)))
				x.push(syncproto.Key{User: "names", Collection: n}, app("collection", named(n)))
			}
			for _, n := range names {
				for _, k := range []syncproto.Key{{User: n, Collection: "apps"}, {User: "names", Collection: n}} {
					if got := x.read(k, 0, 0).docs(); len(got) != 1 || got[0] != named(n) {
						x.failf("%+q holds %q", k, got)
					}
				}
			}
			var all []syncproto.App
			for _, n := range names {
				all = append(all, app(n, named(n)))
			}
			x.push(apps, all...)
			p := x.read(apps, 0, 0)
			if len(p.records) != len(all) {
				x.failf("%d of %d origins came back", len(p.records), len(all))
			}
			for _, r := range p.records {
				if string(r.Doc) != named(r.Origin) {
					x.failf("what was pushed as %s came back as %q", r.Doc, r.Origin)
				}
			}
		},
	}, {
		name:    "LongNames",
		because: "what the handler lets through has to fit, and never be cut",
		run: func(x *suite) {
			long := func(n int, last string) string { return strings.Repeat("é", (n-1)/2) + last }
			for _, last := range []string{"x", "y"} {
				k := syncproto.Key{User: long(syncproto.MaxUser, last), Collection: long(syncproto.MaxCollection, last)}
				x.push(k, app(long(syncproto.MaxOrigin, "x"), named(last+"x")), app(long(syncproto.MaxOrigin, "y"), named(last+"y")))
			}
			for _, last := range []string{"x", "y"} {
				k := syncproto.Key{User: long(syncproto.MaxUser, last), Collection: long(syncproto.MaxCollection, last)}
				p := x.read(k, 0, 0)
				if len(p.records) != 2 {
					x.failf("%d of 2 records under long names", len(p.records))
				}
				for _, r := range p.records {
					if want := named(last + r.Origin[len(r.Origin)-1:]); string(r.Doc) != want || len(r.Origin) != len(long(syncproto.MaxOrigin, "x")) {
						x.failf("under a long name: %q of an origin of %d bytes, want %q", r.Doc, len(r.Origin), want)
					}
				}
			}
		},
	},
}
