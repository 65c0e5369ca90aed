package storetest

import (
	"context"
	"errors"
	"sync"

	"github.com/brownout-go/brownout/syncproto"
)

var contextCases = []test{
	{
		name:    "ContextEnded",
		because: "a request whose time is up must not go on, and must say that this was the reason",
		run: func(x *suite) {
			x.push(apps, appN(1))
			before := x.state(apps)
			ctx, cancel := context.WithCancel(x.ctx())
			cancel()
			if _, err := x.State(ctx, apps); !errors.Is(err, context.Canceled) {
				x.failf("State: %v, want context.Canceled", err)
			}
			if _, err := x.tryRead(ctx, apps, 0, 0); !errors.Is(err, context.Canceled) {
				x.failf("Read: %v, want context.Canceled", err)
			}
			if _, err := x.Write(ctx, apps, syncproto.Write{Apps: []syncproto.App{appN(2)}}); !errors.Is(err, context.Canceled) {
				x.failf("Write: %v, want context.Canceled", err)
			}
			if err := x.Ping(ctx); !errors.Is(err, context.Canceled) {
				x.failf("Ping: %v, want context.Canceled", err)
			}
			if st := x.state(apps); st != before {
				x.failf("a write with an ended context turned %+v into %+v", before, st)
			}
		},
	}, {
		name:    "ContextEndsAtAnyMoment",
		because: "a write that was given up has happened whole or not at all, and what was acknowledged stays",
		run: func(x *suite) {
			for i := range 12 {
				ctx, cancel := context.WithCancel(x.ctx())
				var wg sync.WaitGroup
				wg.Go(cancel)
				before := x.state(apps)
				a, b := appN(2*i), appN(2*i+1)
				res, err := x.Write(ctx, apps, syncproto.Write{Apps: []syncproto.App{a, b}})
				wg.Wait()
				if err != nil && !errors.Is(err, context.Canceled) {
					x.failf("write %d: %v, want nil or context.Canceled", i, err)
				}
				n := len(x.read(apps, before.Last, 0).records)
				if err == nil && (n != 2 || x.state(apps).Last != res.Time) || n == 1 {
					x.failf("write %d: error %v, and %d of its 2 records are there", i, err, n)
				}
			}
		},
	},
}
