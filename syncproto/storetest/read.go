package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/brownout-go/brownout/syncproto"
)

// verbatim are documents that a store which parses them would spell otherwise.
var verbatim = []string{
	`{ "origin":"a" , "n":1.00, "big":12345678901234567890, "e":1e2 }`,
	`{"z":1,"origin":"b","a":"\u0000 \ud83d\ude00 é \/"}`,
	"{\"origin\":\"c\",\n\t\"html\":\"<&>'\\\"%s$1?\"}",
}

var readCases = []test{
	{
		name:    "ReadNeverWritten",
		because: "a new user's first poll is not an error, and shows uuid null",
		run: func(x *suite) {
			if st := x.state(apps); st != (syncproto.State{}) {
				x.failf("State of a collection never written: %+v, want the zero State", st)
			}
			if p := x.read(apps, 0, 0); p.state != (syncproto.State{}) || len(p.records) > 0 || p.more {
				x.failf("Read of a collection never written: %+v, want the zero State and nothing", p)
			}
			if err := x.Ping(x.ctx()); err != nil {
				x.failf("Ping: %v", err)
			}
		},
	}, {
		name:    "DocumentsVerbatim",
		because: "unknown attributes, number spellings and key order are the clients', and are answered byte for byte",
		run: func(x *suite) {
			for i, d := range verbatim {
				x.push(apps, app(string(rune('a'+i)), d))
			}
			if got := x.read(apps, 0, 0).docs(); !slices.Equal(got, verbatim) {
				x.failf("read back %q, want %q", got, verbatim)
			}
		},
	}, {
		name:    "LargeDocuments",
		because: "a document may carry its icons",
		run: func(x *suite) {
			doc := `{"origin":"a","icon":"` + strings.Repeat("0123456789abcdef", 64<<10) + `"}`
			x.push(apps, app("a", doc))
			if got := x.read(apps, 0, 0).docs(); len(got) != 1 || got[0] != doc {
				x.failf("a document of %d bytes did not come back as it went in", len(doc))
			}
		},
	}, {
		name:    "ManyApps",
		because: "one push may bring a whole collection",
		run: func(x *suite) {
			var many []syncproto.App
			for i := range 1000 {
				many = append(many, appN(i))
			}
			res := x.push(apps, many...)
			p := x.read(apps, 0, 0)
			if len(p.records) != len(many) {
				x.failf("%d of %d apps came back", len(p.records), len(many))
			}
			for _, r := range p.records {
				if r.Time != res.Time {
					x.failf("a record of %v in a write of %v", r.Time, res.Time)
				}
			}
		},
	}, {
		name:    "SinceIsStrict",
		because: "a client that sends back the until it was given must not get the same records for ever",
		run: func(x *suite) {
			first := x.push(apps, appN(1))
			second := x.push(apps, appN(2))
			for _, c := range []struct {
				since syncproto.Time
				want  int
			}{{-1, 2}, {0, 2}, {first.Time - 1, 2}, {first.Time, 1}, {second.Time - 1, 1}, {second.Time, 0}, {second.Time + 1e12, 0}} {
				if got := x.read(apps, c.since, 0); len(got.records) != c.want {
					x.failf("since %v: %d records, want %d (writes at %v and %v)", c.since, len(got.records), c.want, first.Time, second.Time)
				}
			}
		},
	}, {
		name:    "LimitKeepsWritesWhole",
		because: "a client asks on from the last time it was given, and would never see the rest of a write cut in two",
		run: func(x *suite) {
			n := 0
			for _, size := range []int{1, 3, 2, 5, 1} {
				var batch []syncproto.App
				for range size {
					batch = append(batch, appN(n))
					n++
				}
				x.push(apps, batch...)
			}
			for limit := 1; limit <= n+1; limit++ {
				seen, since := 0, syncproto.Time(0)
				for {
					p := x.read(apps, since, limit)
					seen += len(p.records)
					if len(p.records) < min(limit, 1) {
						x.failf("limit %d: a page of nothing since %v, after %d of %d records", limit, since, seen, n)
					}
					if len(p.records) > limit+4 {
						x.failf("limit %d: %d records on one page; no write was larger than 5", limit, len(p.records))
					}
					since = p.records[len(p.records)-1].Time
					if !p.more {
						break
					}
				}
				if seen != n {
					x.failf("limit %d: %d of %d records came over all pages", limit, seen, n)
				}
			}
		},
	}, {
		name:    "CallbacksEndTheRead",
		because: "the handler stops reading when its client is gone",
		run: func(x *suite) {
			for i := range 3 {
				x.push(apps, appN(i))
			}
			gone := errors.New("gone")
			calls := 0
			_, err := x.Read(x.ctx(), apps, 0, 0, func(syncproto.State) error { return gone }, func(syncproto.Record) error {
				calls++
				return nil
			})
			if !errors.Is(err, gone) || calls > 0 {
				x.failf("begin failed: Read returned %v after %d records, want the error of begin and none", err, calls)
			}
			_, err = x.Read(x.ctx(), apps, 0, 0, func(syncproto.State) error { return nil }, func(syncproto.Record) error {
				calls++
				return gone
			})
			if !errors.Is(err, gone) || calls != 1 {
				x.failf("each failed: Read returned %v after %d records, want the error of each after 1", err, calls)
			}
			if got := x.read(apps, 0, 0); len(got.records) != 3 {
				x.failf("the next Read gave %d records of 3", len(got.records))
			}
		},
	}, {
		name:    "ReadIsOneMoment",
		because: "a reader must never see half a push",
		run: func(x *suite) {
			both := func(i int) []syncproto.App {
				doc := fmt.Sprintf(`{"n":%d}`, i)
				return []syncproto.App{app("left", doc), app("right", doc)}
			}
			x.push(apps, both(0)...)
			var wg sync.WaitGroup
			stop := make(chan struct{})
			for range 2 {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						p, err := x.tryRead(x.ctx(), apps, 0, 0)
						if err != nil {
							x.Errorf("Read: %v", err)
							return
						}
						if d := p.docs(); len(d) != 2 || d[0] != d[1] || p.records[0].Time != p.state.Last {
							x.Errorf("read %q at %v of a collection last written at %v\nbecause %s", d, p.records[0].Time, p.state.Last, x.because)
							return
						}
					}
				})
			}
			for i := range 20 {
				x.push(apps, both(i+1)...)
			}
			close(stop)
			wg.Wait()
		},
	},
}
