package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/brownout-go/brownout/faultconn/proxy"
)

// backlog is how many events wait for a reader of the stream. Those that come
// when it is full are lost, and counted: traffic waits for nobody.
const backlog = 1024

// audience is how many may listen at a time.
const audience = 100

// hub passes events to those who listen.
type hub struct {
	mu     sync.Mutex
	subs   map[*subscriber]struct{}
	closed bool
}

type subscriber struct {
	events chan message // closed when the server is
	lost   int          // guarded by hub.mu
}

type message struct {
	kind string
	data any
	lost int // before this one
}

// send never waits.
func (h *hub) send(kind string, data any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		select {
		case s.events <- message{kind, data, s.lost}:
			s.lost = 0
		default:
			s.lost++
		}
	}
}

// join returns nil if too many listen.
func (h *hub) join() *subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.subs) >= audience {
		return nil
	}
	s := &subscriber{events: make(chan message, backlog)}
	if h.closed {
		close(s.events)
		return s
	}
	if h.subs == nil {
		h.subs = map[*subscriber]struct{}{}
	}
	h.subs[s] = struct{}{}
	return s
}

func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s)
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for s := range h.subs {
		close(s.events)
	}
	h.subs = nil
}

// keepalive is how often a stream with nothing to say shows that it lives, and
// how long it waits for a reader that does not read.
const keepalive = 15 * time.Second

// stream serves events as they come, as text/event-stream.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	// In the place of a server's write timeout, which is for replies that end.
	extend := func() { _ = out.SetWriteDeadline(time.Now().Add(keepalive)) }
	extend()
	sub := s.events.join()
	if sub == nil {
		reply(w, 0, nil, &refusal{http.StatusServiceUnavailable, errAudience})
		return
	}
	defer s.events.leave(sub)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprint(w, ": connected\n\n")
	if out.Flush() != nil {
		return
	}
	t := time.NewTicker(keepalive)
	defer t.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-t.C:
			extend()
			fmt.Fprint(w, ": alive\n\n")
		case m, ok := <-sub.events:
			if !ok {
				return
			}
			extend()
			if m.lost > 0 {
				fmt.Fprintf(w, "event: lost\ndata: %d\n\n", m.lost)
			}
			data, err := json.Marshal(m.data)
			if err != nil {
				continue
			}
			_, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", m.kind, data)
			if err == nil && len(sub.events) > 0 {
				continue // flush once for all that wait
			}
		}
		if out.Flush() != nil {
			return
		}
	}
}

// connEvent is what happened to a connection, in JSON.
func connEvent(ev proxy.Event) any {
	w := struct {
		Time  time.Time  `json:"time"`
		Proxy string     `json:"proxy"`
		Kind  string     `json:"kind"`
		Conn  connection `json:"connection"`
		Error string     `json:"error,omitempty"`
	}{ev.Time, ev.Proxy, string(ev.Kind), connOf(ev.Conn), ""}
	if ev.Err != nil {
		w.Error = ev.Err.Error()
	}
	return w
}
