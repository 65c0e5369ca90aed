package syncproto

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// streamHeartbeat is less than what proxies cut idle connections at.
	streamHeartbeat = 25 * time.Second
	// streamPatience is how long a client may take to read an event. One that
	// has stopped reading would keep its place for good.
	streamPatience = 10 * time.Second

	noStreams = "there are no event streams here: poll"
)

func wantsStream(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream")
}

// events sends an event for each change of the collection until the time is up.
// It says that there is news and not what: a client pulls it, and whoever is
// slow gets one event where there were many.
func (x *exchange) events(since Time) {
	x.event.Op = "watch"
	if id := x.r.Header.Get("Last-Event-ID"); id != "" {
		last, err := ParseTime(id)
		if err != nil {
			x.refuse(bad(CodeParameter, "Last-Event-ID: want the id of an event"))
			return
		}
		since = max(since, last)
	}
	if x.cfg.Watch.Max == 0 {
		x.fail(http.StatusNotAcceptable, noStreams)
		return
	}
	ctx := x.r.Context()
	woken, leave, ok := x.hub.join(x.key, x.cfg.Watch)
	if !ok {
		x.unavailable(fmt.Errorf("syncproto: %d clients are watching already, or %d of this user",
			x.cfg.Watch.Clients, x.cfg.Watch.PerUser))
		return
	}
	defer leave()
	heartbeat, stopHeartbeat := ticks(streamHeartbeat)
	defer stopHeartbeat()
	recheck, stopRecheck := ticks(x.cfg.Watch.Recheck)
	defer stopRecheck()

	st, err := x.cfg.Store.State(ctx, x.key)
	if err != nil {
		x.unavailable(fmt.Errorf("syncproto: state: %w", err))
		return
	}
	x.event.Status = http.StatusOK
	h := x.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold it back
	// The next request of the connection may have no deadline of its own.
	defer func() { _ = http.NewResponseController(x.w).SetWriteDeadline(time.Time{}) }()
	text := ": watching\n\n"
	// Before a word is sent: a stream that cannot be flushed ends at once, and
	// its client would come again and again.
	if err := x.flush(""); errors.Is(err, http.ErrNotSupported) {
		h.Del("X-Accel-Buffering")
		h.Del("Cache-Control")
		x.fail(http.StatusNotAcceptable, noStreams)
		x.event.Err = fmt.Errorf("syncproto: event stream: the ResponseWriter of a middleware around the handler can do neither Flush nor Unwrap: %w", err)
		return
	} else if err != nil {
		x.event.Err = fmt.Errorf("syncproto: event stream: %w", err)
		return
	}
	// A timeout around the handler may give more time with the first byte.
	end := time.NewTimer(within(ctx, x.cfg.Watch.Max))
	defer end.Stop()
	for {
		if st.Last > since {
			since = st.Last
			text += eventOf(st)
		}
		if text != "" {
			if err := x.flush(text); err != nil {
				x.event.Err = fmt.Errorf("syncproto: event stream: %w", err)
				return
			}
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
		if st, err = x.cfg.Store.State(ctx, x.key); err != nil {
			x.event.Err = fmt.Errorf("syncproto: state: %w", err)
			return // the client comes again and is then told
		}
	}
}

func eventOf(st State) string {
	name := "change"
	if st.Deleted != nil {
		name = "deleted"
	}
	return fmt.Sprintf("event: %s\nid: %v\ndata: {\"until\":%v}\n\n", name, st.Last, st.Last)
}

// flush sends text now, and the header before it.
func (x *exchange) flush(text string) error {
	c := http.NewResponseController(x.w)
	_ = c.SetWriteDeadline(time.Now().Add(streamPatience)) // where there is none to set, who wraps w decides
	if text != "" {
		if _, err := x.w.Write([]byte(text)); err != nil {
			return err
		}
	}
	return c.Flush()
}
