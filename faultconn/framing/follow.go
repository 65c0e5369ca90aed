package framing

import (
	"math/rand/v2"
	"sync"

	"github.com/brownout-go/brownout/faultconn"
)

// followers keeps what a fault knows of each connection. A fault is asked about
// an operation before its bytes pass, perhaps more than once, so bytes are told
// apart by their offsets: each is looked at once.
type followers struct {
	mu    sync.Mutex
	conns map[connection]*follower
	past  map[string]int // number of the last connection that was dropped, by point
	fit   int            // messages that have fitted so far
}

type connection struct {
	point  string
	number int
}

// follower follows the two directions of one connection.
type follower struct {
	sides [2]following
	extra any // what the fault keeps
}

const (
	requests = 0
	replies  = 1
)

type following struct {
	stream *Stream
	seed   uint64
	offset int64 // of the last operation: what is before it has passed
	seen   int64 // what has been looked at
	spans  []reach
	lost   bool // bytes have passed unseen
}

// reach is a message as far as it has been seen. Offsets not known are -1.
type reach struct {
	start, body, end int64
	number           int
	command          string
	decided, struck  bool
	asked            int64   // offset of the first operation that was struck in it; -1 before
	text             *string // what takes its place; nil: nothing does
}

// follow brings the follower of the operation's connection up to date and
// returns it with its side; nil if nothing is known of it. choose is called
// once for each new message: at its first byte if early, else as soon as its
// command is known. f.mu is held.
func (f *followers) follow(op faultconn.Op, open func() *Conversation, early bool, choose func(w *follower, side int, m *reach, r *rand.Rand, data []byte)) (*follower, int) {
	key := connection{op.Point, op.Conn}
	if op.Kind == faultconn.OpClose {
		delete(f.conns, key)
		return nil, 0
	}
	if op.Kind != faultconn.OpRead && op.Kind != faultconn.OpWrite {
		return nil, 0
	}
	side := requests
	if op.Reply() {
		side = replies
	}
	w := f.conns[key]
	if w == nil || op.Offset < w.sides[side].offset { // the plan was set anew
		if op.Conn <= f.past[op.Point] {
			return nil, 0
		}
		conv := open()
		if conv == nil {
			return nil, 0
		}
		w = &follower{}
		w.sides[requests].stream, w.sides[replies].stream = conv.Requests, conv.Replies
		f.add(key, w)
	}
	s := &w.sides[side]
	if s.seen == 0 && op.Rand != nil {
		s.seed = op.Rand.Uint64()
	}
	s.offset = op.Offset
	for len(s.spans) > 0 && s.spans[0].end >= 0 && s.spans[0].end <= op.Offset {
		s.spans = s.spans[1:]
	}
	if op.Offset > s.seen {
		s.lost = true
	}
	if s.lost {
		return nil, 0
	}
	if skip := s.seen - op.Offset; skip < int64(len(op.Data)) {
		s.look(op.Data[skip:], early, func(m *reach, r *rand.Rand) {
			var from []byte
			if at := m.start - op.Offset; at >= 0 {
				from = op.Data[at:]
			}
			choose(w, side, m, r, from)
		})
	}
	return w, side
}

// mostFollowed bounds the connections followed at once. One that another rule
// has broken is not seen to end.
const mostFollowed = 8192

// add takes a connection in, in the place of the oldest if there
// are too many. That one is left alone from then on.
func (f *followers) add(key connection, w *follower) {
	if f.conns == nil {
		f.conns = map[connection]*follower{}
	}
	if len(f.conns) >= mostFollowed {
		oldest := key
		for k := range f.conns {
			if k.number < oldest.number {
				oldest = k
			}
		}
		if f.past == nil {
			f.past = map[string]int{}
		}
		f.past[oldest.point] = max(f.past[oldest.point], oldest.number)
		delete(f.conns, oldest)
	}
	f.conns[key] = w
}

// look finds the messages in the bytes that come next.
func (s *following) look(data []byte, early bool, choose func(*reach, *rand.Rand)) {
	for len(data) > 0 {
		part := s.stream.Next(data)
		data = data[part.N:]
		at := s.seen
		s.seen += int64(part.N)
		if part.Section == Raw {
			if i := len(s.spans) - 1; i >= 0 && s.spans[i].end < 0 {
				s.spans[i].end = at
			}
			continue
		}
		if n := len(s.spans); n == 0 || s.spans[n-1].number != part.Number {
			s.spans = append(s.spans, reach{start: at, body: -1, end: -1, number: part.Number, asked: -1})
		}
		m := &s.spans[len(s.spans)-1]
		if part.Command != "" {
			m.command = part.Command
		}
		if part.Section == Body && m.body < 0 {
			m.body = at
		}
		if part.End {
			m.end = s.seen
			if m.body < 0 {
				m.body = s.seen
			}
		}
		if !m.decided && (early || m.command != "" || m.body >= 0) {
			m.decided = true
			choose(m, rand.New(rand.NewPCG(s.seed, uint64(m.number))))
		}
	}
}

// within is how many of the operation's bytes, from the n-th on, belong to m.
func (m *reach) within(op faultconn.Op) int {
	if m.end < 0 {
		return len(op.Data)
	}
	return int(min(m.end-op.Offset, int64(len(op.Data))))
}
