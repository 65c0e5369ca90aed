package syncproto

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Watch lets clients wait for news instead of polling: a pull with wait=SECONDS
// is answered when there is something to answer, and a pull that accepts
// text/event-stream is told of each change as it happens (server-sent events).
// The zero Watch answers such pulls at once, as any other, and refuses streams
// with a 406.
//
// A waiting client costs a connection and about 4 KiB. A timeout around the
// handler ends a wait too; the handler answers a little before a deadline of
// the request's context. To let clients wait for longer than other requests may
// take, give those with wait in the query, or with that Accept, a deadline of
// their own: timeout.Config has Budget for both, and Stream for event streams.
// A middleware around the handler has to let streams be flushed, by a Flush or
// an Unwrap method of its ResponseWriter; where one doesn't, they are refused
// too, and an Event says why. A server that drains should cancel the contexts of
// the requests that wait, as the example does: they end at once, with the answer
// that there is no news. Through http.Server.BaseContext it would cancel those
// of pushes too, which then may have happened and have no answer.
type Watch struct {
	// Max is how long a client may wait in one request, and how long a stream
	// lasts before the client has to come again. Zero turns waiting off.
	Max time.Duration
	// Clients is how many may wait at the same time. Who comes when there are
	// as many is answered at once; a stream gets a 503. Zero means 10,000.
	Clients int
	// PerUser is how many of Clients may be one user's, in all collections
	// together, so that nobody takes the places of all others. Zero means 100.
	PerUser int
	// Recheck is how often a waiting client looks at the store's State, for
	// writes that came another way than through this handler, such as through
	// another server. Zero means never.
	Recheck time.Duration
}

const (
	defaultWatchers        = 10_000
	defaultWatchersPerUser = 100
)

func (w Watch) withDefaults() (Watch, error) {
	if w.Max < 0 || w.Clients < 0 || w.PerUser < 0 || w.Recheck < 0 {
		return w, fmt.Errorf("syncproto: Config.Watch %+v: must not be negative", w)
	}
	if w.Clients == 0 {
		w.Clients = defaultWatchers
	}
	if w.PerUser == 0 {
		w.PerUser = defaultWatchersPerUser
	}
	return w, nil
}

// waitQuery reads wait as [ParseTime] reads seconds: what would be refused as
// since is refused here. Below a hundredth of a second nothing is waited for.
func (x *exchange) waitQuery() (time.Duration, *refusal) {
	if !strings.Contains(x.r.URL.RawQuery, "wait=") { // as most polls
		return 0, nil
	}
	s := x.r.URL.Query().Get("wait")
	if s == "" {
		return 0, nil
	}
	t, err := ParseTime(s)
	if err != nil || t < 0 {
		return 0, bad(CodeParameter, "wait: want a decimal number of seconds, not negative")
	}
	most := x.cfg.Watch.Max
	if t > Time(most/tick) {
		return most, nil
	}
	return time.Duration(t) * tick, nil
}

// within shortens a wait so that it can be answered before the context's end.
func within(ctx context.Context, d time.Duration) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		d = min(d, left-left/8)
	}
	return max(0, d)
}

// await returns the state of the collection as soon as that is newer than since
// or deleted, or else when the time is up. A context that ends meanwhile ends the
// wait and is no failure: either nobody is there any more, or the server stops,
// and then its clients had better hear that there is no news than that it is
// out of order.
func (x *exchange) await(since Time, wait time.Duration) (State, error) {
	ctx := x.r.Context()
	var (
		woken chan struct{}
		leave func()
		ok    bool
	)
	if wait = within(ctx, wait); wait > 0 {
		woken, leave, ok = x.hub.join(x.key, x.cfg.Watch)
	}
	if !ok {
		return x.cfg.Store.State(ctx, x.key)
	}
	defer leave()
	x.event.Op = "watch"
	end := time.NewTimer(wait)
	defer end.Stop()
	recheck, stop := ticks(x.cfg.Watch.Recheck)
	defer stop()
	for {
		st, err := x.cfg.Store.State(ctx, x.key)
		if err != nil || st.Deleted != nil || st.Last > since {
			return st, err
		}
		select {
		case <-woken:
		case <-recheck:
		case <-end.C:
			return st, nil
		case <-ctx.Done():
			return st, nil
		}
	}
}

func ticks(every time.Duration) (<-chan time.Time, func()) {
	if every == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(every)
	return t.C, t.Stop
}
