package syncproto

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
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
// the request's context. A server that drains should cancel the contexts of
// its requests, through http.Server.BaseContext: waits then end at once, with
// the answer that there is no news.
type Watch struct {
	// Max is how long a client may wait in one request, and how long a stream
	// lasts before the client has to come again. Zero turns waiting off.
	Max time.Duration
	// Clients is how many may wait at the same time. Who comes when there are
	// as many is answered at once; a stream gets a 503. Zero means 10,000.
	Clients int
	// Recheck is how often a waiting client looks at the store's State, for
	// writes that came another way than through this handler, such as through
	// another server. Zero means never.
	Recheck time.Duration
}

const (
	defaultWatchers = 10_000
	streamHeartbeat = 25 * time.Second // less than what proxies cut idle connections at
)

func (w Watch) withDefaults() (Watch, error) {
	if w.Max < 0 || w.Clients < 0 || w.Recheck < 0 {
		return w, fmt.Errorf("syncproto: Config.Watch %+v: must not be negative", w)
	}
	if w.Clients == 0 {
		w.Clients = defaultWatchers
	}
	return w, nil
}

// hub wakes who waits for a collection.
type hub struct {
	mu      sync.Mutex
	waiting map[Key]map[chan struct{}]bool
	n       int
}

// join begins a wait, unless there are most already.
func (h *hub) join(key Key, most int) (woken chan struct{}, leave func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n >= most {
		return nil, nil, false
	}
	woken = make(chan struct{}, 1)
	if h.waiting == nil {
		h.waiting = make(map[Key]map[chan struct{}]bool)
	}
	if h.waiting[key] == nil {
		h.waiting[key] = make(map[chan struct{}]bool)
	}
	h.waiting[key][woken] = true
	h.n++
	return woken, func() { h.leave(key, woken) }, true
}

func (h *hub) leave(key Key, woken chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting[key], woken)
	if len(h.waiting[key]) == 0 {
		delete(h.waiting, key)
	}
	h.n--
}

// wake tells all who wait. One that has been told and not looked yet need not
// be told twice.
func (h *hub) wake(key Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for woken := range h.waiting[key] {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}

// waitQuery reads wait, in seconds; a fraction is allowed.
func (x *exchange) waitQuery() (time.Duration, *refusal) {
	if !strings.Contains(x.r.URL.RawQuery, "wait=") { // as most polls
		return 0, nil
	}
	s := x.r.URL.Query().Get("wait")
	if s == "" {
		return 0, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0) {
		return 0, bad(CodeParameter, "wait: want seconds")
	}
	most := x.cfg.Watch.Max
	if f > most.Seconds() {
		return most, nil
	}
	return time.Duration(f * float64(time.Second)), nil
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
func (x *exchange) await(ctx context.Context, since Time, wait time.Duration) (State, error) {
	var (
		woken chan struct{}
		leave func()
		ok    bool
	)
	if wait = within(ctx, wait); wait > 0 {
		woken, leave, ok = x.hub.join(x.key, x.cfg.Watch.Clients)
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

func wantsStream(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream")
}

// events sends an event for each change of the collection until the time is up.
// It says that there is news and not what: a client pulls it, and whoever is
// slow gets one event where there were many.
func (x *exchange) events(since Time) {
	if id, err := ParseTime(x.r.Header.Get("Last-Event-ID")); err == nil {
		since = max(since, id)
	}
	x.event.Op = "watch"
	if x.cfg.Watch.Max == 0 {
		x.fail(http.StatusNotAcceptable, "there are no event streams here: poll")
		return
	}
	ctx := x.r.Context()
	woken, leave, ok := x.hub.join(x.key, x.cfg.Watch.Clients)
	if !ok {
		x.unavailable(fmt.Errorf("syncproto: %d clients are watching already", x.cfg.Watch.Clients))
		return
	}
	defer leave()
	end := time.NewTimer(within(ctx, x.cfg.Watch.Max))
	defer end.Stop()
	heartbeat, stopBeat := ticks(streamHeartbeat)
	defer stopBeat()
	recheck, stop := ticks(x.cfg.Watch.Recheck)
	defer stop()

	begun, told := false, State{Last: since}
	for {
		st, err := x.cfg.Store.State(ctx, x.key)
		if err != nil && !begun {
			x.unavailable(err)
			return
		}
		if err != nil { // the client comes again and is then told
			x.event.Err = err
			return
		}
		text := ""
		if !begun {
			begun, x.event.Status = true, http.StatusOK
			h := x.w.Header()
			h.Set("Content-Type", "text/event-stream")
			h.Set("Cache-Control", "no-store")
			h.Set("X-Accel-Buffering", "no") // nginx would hold it back
			text = ": watching\n\n"
		}
		if st.Last > told.Last {
			name := "change"
			if st.Deleted != nil {
				name = "deleted"
			}
			text += fmt.Sprintf("event: %s\nid: %v\ndata: {\"until\":%v}\n\n", name, st.Last, st.Last)
			told = st
		}
		for quiet := true; quiet; {
			if text != "" && !x.flush(text) {
				return
			}
			text = ""
			select {
			case <-heartbeat:
				text = ":\n\n"
				continue
			case <-woken:
			case <-recheck:
			case <-end.C:
				return
			case <-ctx.Done():
				return
			}
			quiet = false
		}
	}
}

func (x *exchange) flush(text string) bool {
	_, err := x.w.Write([]byte(text))
	if err == nil {
		err = http.NewResponseController(x.w).Flush()
	}
	if err != nil {
		x.event.Err = err
	}
	return err == nil
}
