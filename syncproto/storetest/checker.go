package storetest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/brownout-go/brownout/syncproto"
)

// check returns what is wrong with a history, nil if there is an order of its
// operations that explains every answer. The times that the store gave are that
// order, so it has not to be searched for, only to be believed or not:
//
//   - no two writes of a collection have the same time;
//   - what ended before something else began comes before it;
//   - a read is what the writes up to its state's Last leave behind, all of it
//     and nothing else, or the beginning of that, whole writes, and says so;
//   - a conditional write goes through if and only if nothing lies between;
//   - with the writes to the user's other collections put in between, in one of
//     the orders that are possible, those with a quota go through if and only if
//     what is new is not too much, and what is counted in the end is what is there;
//   - a uuid lasts for one life of the collection.
func (h *history) check() []string {
	c := checker{h: h, wrong: slices.Clone(h.wrong)}
	keys := map[syncproto.Key]bool{}
	for _, w := range h.writes {
		keys[w.key] = true
	}
	for _, r := range h.reads {
		keys[r.key] = true
	}
	for key := range keys {
		c.collection(key)
	}
	if len(c.wrong) == 0 { // else nobody knows what was there
		c.account()
	}
	slices.Sort(c.wrong)
	return c.wrong
}

type checker struct {
	h     *history
	wrong []string
	lives []string // uuids of the collection at hand by life, "" if not known yet
	lines []line   // one for each collection
}

func (c *checker) failf(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// moment is a collection after a write.
type moment struct {
	by      *writeOp
	last    syncproto.Time
	life    int // counts the lives begun, and so names one unless deleted
	deleted *syncproto.Deletion
	records map[string]syncproto.Record
	bytes   int64 // of their documents
}

func (c *checker) collection(key syncproto.Key) {
	h := c.h
	var done, refused, over []*writeOp
	for _, w := range h.writes {
		switch {
		case w.key != key:
		case w.refuse:
			refused = append(refused, w)
		case w.over:
			over = append(over, w)
		case w.write.Delete != nil && w.idle(h):
		default:
			done = append(done, w)
		}
	}
	slices.SortFunc(done, func(a, b *writeOp) int {
		if a.res.Time != b.res.Time {
			return int(a.res.Time - b.res.Time)
		}
		return a.begin - b.begin
	})
	moments := c.replay(done)
	c.order(done)
	for _, r := range h.reads {
		if r.key == key {
			c.read(r, moments)
		}
	}
	c.readOrder(key)
	c.service(key, moments)
	for _, w := range refused {
		c.conflict(w, done)
	}
	c.lines = append(c.lines, line{key, done, over, moments})
}

// idle says whether a deletion found the collection deleted already: it then
// has the time of the deletion before it. An answer says so by its Previous;
// where the last answer was one to a copy, the first to begin is taken for the
// one that did it, unless another is known to be.
func (w *writeOp) idle(h *history) bool {
	if w.exact() {
		return w.res.Previous == w.res.Time
	}
	for _, o := range h.writes {
		if o == w || o.key != w.key || o.refuse || o.over || o.write.Delete == nil || o.res.Time != w.res.Time {
			continue
		}
		if o.exact() && o.res.Previous != o.res.Time || !o.exact() && o.begin < w.begin {
			return true
		}
	}
	return false
}

// replay makes the moments, beginning with that before the first write.
func (c *checker) replay(done []*writeOp) []moment {
	now := moment{records: map[string]syncproto.Record{}}
	moments := []moment{now}
	c.lives = []string{""}
	for i, w := range done {
		if i > 0 && w.res.Time == now.last {
			c.failf("one time for two writes:\n\t%v\n\t%v", now.by, w)
		}
		if w.exact() && w.res.Previous != now.last {
			c.failf("a write says that %v was before it, and it was %v:\n\t%v", w.res.Previous, now.last, w)
		}
		if t := w.write.IfUnmodifiedSince; t != nil && w.write.Delete == nil && now.last != 0 && now.last > *t {
			c.failf("a conditional write went through after\n\t%v\n\t%v", now.by, w)
		}
		next := moment{by: w, last: w.res.Time, life: now.life, records: map[string]syncproto.Record{}}
		if w.write.Delete != nil {
			next.deleted = w.write.Delete
		} else {
			if now.deleted == nil && now.life > 0 {
				maps.Copy(next.records, now.records)
			} else {
				next.life++
				c.lives = append(c.lives, "")
			}
			if w.exact() {
				c.uuid(next.life, w.res.UUID, w)
			}
			for _, a := range w.write.Apps {
				next.records[a.Origin] = syncproto.Record{Time: w.res.Time, App: a}
			}
			for _, r := range next.records {
				next.bytes += int64(len(r.Doc))
			}
		}
		now = next
		moments = append(moments, now)
	}
	return moments
}

// order demands that writes that did not overlap have times in their order.
func (c *checker) order(done []*writeOp) {
	for i, a := range done {
		for _, b := range done[i+1:] {
			if b.before(a.span) && b.res.Time > a.res.Time {
				c.failf("a later write has the earlier time:\n\t%v\n\t%v", b, a)
			}
		}
	}
}

// uuid demands that a life has one uuid, and that no other life has it.
func (c *checker) uuid(life int, uuid string, by fmt.Stringer) {
	switch known := c.lives[life]; {
	case uuid == "":
		c.failf("no uuid:\n\t%v", by)
	case known == uuid:
	case known != "":
		c.failf("another uuid within a life, which has %.8s:\n\t%v", known, by)
	case slices.Contains(c.lives, uuid):
		c.failf("a uuid of another life:\n\t%v", by)
	default:
		c.lives[life] = uuid
	}
}

// readOrder demands that nobody sees an older state than somebody before.
func (c *checker) readOrder(key syncproto.Key) {
	var reads []*readOp
	for _, r := range c.h.reads {
		if r.key == key {
			reads = append(reads, r)
		}
	}
	for _, a := range reads {
		for _, b := range reads {
			if a.before(b.span) && a.page.state.Last > b.page.state.Last && !c.excused(b, a.ended) {
				c.failf("a later read is of an earlier state:\n\t%v\n\t%v", a, b)
			}
		}
	}
}
