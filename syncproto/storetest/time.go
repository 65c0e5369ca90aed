package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

var timeCases = []test{
	{
		name:    "TimesIncrease",
		because: "two writes with one time lose the second for everyone who polled in between",
		run: func(x *suite) {
			var last syncproto.Time
			for i := range 20 {
				var res syncproto.Result
				if i%5 == 4 {
					res = x.delete(apps)
				} else {
					res = x.push(apps, appN(i))
				}
				if res.Time <= last || res.Previous != last {
					x.failf("write %d: %+v after a write at %v", i, res, last)
				}
				last = res.Time
			}
		},
	}, {
		name:    "TimesKeepToTheClock",
		because: "a client that says since now must be told nothing old, and times in the future hide what comes next",
		run: func(x *suite) {
			before := syncproto.TimeOf(time.Now())
			for i := range 15 {
				res := x.push(apps, appN(i))
				if now := syncproto.TimeOf(time.Now()); res.Time > now || res.Time < before {
					x.failf("write %d has time %v; the clock was %v before and %v after", i, res.Time, before, now)
				}
			}
		},
	}, {
		name:    "NothingIsMissed",
		because: "a reader that polls while others write has to have everything at the end, each update once",
		run: func(x *suite) {
			const writers, each = 4, 12
			var wg, poll sync.WaitGroup
			done := make(chan struct{})
			got := map[string]int{}
			poll.Go(func() {
				var since syncproto.Time
				for last := false; ; {
					p, err := x.tryRead(x.ctx(), apps, since, 0)
					if err != nil {
						x.Errorf("Read: %v", err)
						return
					}
					for _, r := range p.records {
						got[r.Origin]++
						since = r.Time
					}
					if last {
						return
					}
					select {
					case <-done:
						last = true
					default:
					}
				}
			})
			var mu sync.Mutex
			times := map[syncproto.Time]string{}
			for w := range writers {
				wg.Go(func() {
					for i := range each {
						name := fmt.Sprintf("%d/%d", w, i)
						res, err := x.Write(x.ctx(), apps, syncproto.Write{Apps: []syncproto.App{app(name, `{}`)}})
						if err != nil {
							x.Errorf("Write: %v", err)
							return
						}
						mu.Lock()
						if other, ok := times[res.Time]; ok {
							x.Errorf("%s and %s both have time %v\nbecause %s", other, name, res.Time, x.because)
						}
						times[res.Time] = name
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			close(done)
			poll.Wait()
			for w := range writers {
				for i := range each {
					if name := fmt.Sprintf("%d/%d", w, i); got[name] != 1 {
						x.Errorf("update %s came %d times\nbecause %s", name, got[name], x.because)
					}
				}
			}
		},
	},
}
