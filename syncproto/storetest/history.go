package storetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// history is what some devices did with a store at the same time, and what
// they were told.
type history struct {
	mu     sync.Mutex
	now    int // counts begins and ends, and so orders what did not overlap
	writes []*writeOp
	reads  []*readOp

	counted bool // usage is what the store says, in the end, that there is
	usage   []syncproto.Usage

	failures int // calls that came to nothing, and were made again

	// Of a service:
	late   time.Duration // for how long a read may be of a while ago
	tells  []*tellOp
	copies []*copyOp
	wrong  []string // found on the way
}

// span is the part of the history within which an operation happened.
type span struct{ begin, end int }

func (a span) before(b span) bool { return a.end < b.begin }

// writeOp is a write that was sent until it was answered. Only the last answer
// counts; the write may have happened at any time after it was first sent.
type writeOp struct {
	span
	ended  time.Time
	device int
	key    syncproto.Key
	write  syncproto.Write
	res    syncproto.Result
	refuse bool // with ErrConflict
	over   bool // refused with a QuotaError
	tries  int
}

type readOp struct {
	span
	asked, ended time.Time
	device       int
	key          syncproto.Key
	late         bool // may be of a while ago
	since        syncproto.Time
	limit        int
	page         page
}

// tellOp is news that somebody who waited was told of.
type tellOp struct {
	span
	ended time.Time
	key   syncproto.Key
	until syncproto.Time
}

// copyOp is what a client of the first kind has when it has pulled everything.
type copyOp struct {
	by   *readOp        // the last page
	seen syncproto.Time // the latest state of which it has a page, or made it
	docs map[string]string
}

// exact says that the answer is the first one to the only copy, and so tells
// what the collection was before the write.
func (w *writeOp) exact() bool { return w.tries == 1 && !w.res.Replayed }

func (h *history) tick() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now++
	return h.now
}

func (h *history) wrote(w *writeOp) {
	w.end, w.ended = h.tick(), time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writes = append(h.writes, w)
}

func (h *history) read(r *readOp) {
	r.end, r.ended = h.tick(), time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads = append(h.reads, r)
}

func (h *history) told(t *tellOp) {
	t.end, t.ended = h.tick(), time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tells = append(h.tells, t)
}

func (h *history) copied(c *copyOp) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.copies = append(h.copies, c)
}

func (h *history) failf(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

func (h *history) failed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures++
}

func (w *writeOp) String() string {
	what := fmt.Sprintf("push of %d", len(w.write.Apps))
	if w.write.Delete != nil {
		what = "deletion"
	}
	if t := w.write.IfUnmodifiedSince; t != nil {
		what += fmt.Sprintf(" if unmodified since %v", *t)
	}
	if q := w.write.Quota; q != (syncproto.Quota{}) {
		what += fmt.Sprintf(" within %+v", q)
	}
	answer := fmt.Sprintf("time %v after %v, uuid %.8s", w.res.Time, w.res.Previous, w.res.UUID)
	switch {
	case w.refuse:
		answer = fmt.Sprintf("conflict with %v", w.res.Previous)
	case w.over:
		answer = "over the quota"
	}
	return fmt.Sprintf("[%d-%d] device %d, %s: %s (%s), sent %d times: %s", w.begin, w.end, w.device, w.key.Collection, what, w.write.ID, w.tries, answer)
}

func (r *readOp) String() string {
	return fmt.Sprintf("[%d-%d] device %d, %s: read since %v, limit %d: %d records and more %t at %v, uuid %.8s, deleted %t",
		r.begin, r.end, r.device, r.key.Collection, r.since, r.limit, len(r.page.records), r.page.more, r.page.state.Last, r.page.state.UUID, r.page.state.Deleted != nil)
}
