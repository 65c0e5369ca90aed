package storetest

import (
	"fmt"
	"maps"
	"slices"
	"time"

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
//   - a conditional write goes through if and only if nothing lies between, and
//     one with a quota if and only if what is new is not too much;
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
	slices.Sort(c.wrong)
	return c.wrong
}

type checker struct {
	h     *history
	wrong []string
	lives []string // uuids of the collection at hand by life, "" if not known yet
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
	for _, w := range over {
		c.quota(w, moments)
	}
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
		if w.exact() && now.exceeded(w) {
			c.failf("a write went through over its quota, after\n\t%v\n\t%v", now.by, w)
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
		}
		now = next
		moments = append(moments, now)
	}
	return moments
}

// exceeded says whether a write is over its quota if it comes next.
func (m moment) exceeded(w *writeOp) bool {
	n, added := len(m.records), 0
	for _, a := range w.write.Apps {
		if _, ok := m.records[a.Origin]; !ok {
			added++
		}
	}
	return w.write.Quota.Apps > 0 && added > 0 && n+added > w.write.Quota.Apps
}

// quota demands that a refused write would have been too much at some moment.
func (c *checker) quota(w *writeOp, moments []moment) {
	for i, m := range moments {
		over := i+1 < len(moments) && moments[i+1].by.before(w.span)
		begun := m.by == nil || !w.before(m.by.span)
		if begun && !over && m.exceeded(w) {
			return
		}
	}
	c.failf("over the quota without a reason:\n\t%v", w)
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

func (c *checker) read(r *readOp, moments []moment) {
	at := -1
	for i, m := range moments {
		if m.last == r.page.state.Last {
			at = i
		}
		if m.by != nil && m.by.before(r.span) && m.last > r.page.state.Last && !c.excused(r, m.by.ended) {
			c.failf("a read does not have what was written before it:\n\t%v\n\t%v", m.by, r)
			return
		}
	}
	if at < 0 {
		c.failf("a read of a state that no write left:\n\t%v", r)
		return
	}
	m := moments[at]
	if m.by != nil && r.before(m.by.span) {
		c.failf("a read has what was written after it:\n\t%v\n\t%v", r, m.by)
	}
	if (m.deleted != nil) != (r.page.state.Deleted != nil) {
		c.failf("deleted is %t after\n\t%v\n\t%v", r.page.state.Deleted != nil, m.by, r)
	}
	if m.deleted == nil && m.life > 0 {
		c.uuid(m.life, r.page.state.UUID, r)
	} else if r.page.state.UUID != "" {
		c.failf("a uuid, and no life:\n\t%v", r)
	}
	c.page(r, m)
}

// excused says whether a read may not know of what was there by then.
func (c *checker) excused(r *readOp, then time.Time) bool {
	return r.late && r.asked.Sub(then) <= c.h.late
}

// page demands that the records of a read are those of the moment, or the first
// of them.
func (c *checker) page(r *readOp, m moment) {
	var all []syncproto.Record
	want := map[string]syncproto.Record{}
	for _, rec := range m.records {
		if rec.Time > r.since {
			all = append(all, rec)
			want[rec.Origin] = rec
		}
	}
	slices.SortFunc(all, func(a, b syncproto.Record) int { return int(a.Time - b.Time) })
	n := len(r.page.records)
	if !r.page.more {
		n = len(all)
	} else if n >= len(all) || n > 0 && all[n-1].Time == all[n].Time {
		c.failf("a page of %d of %d that ends within a write, or with nothing left:\n\t%v", n, len(all), r)
		return
	} else if n < max(1, r.limit) {
		c.failf("a page of less than its limit, and more:\n\t%v", r)
	}
	if k := min(len(r.page.records), len(all)); r.limit > 0 && k > r.limit && all[k-1].Time != all[r.limit-1].Time {
		c.failf("a page over its limit:\n\t%v", r)
	}
	got := map[string]bool{}
	var last syncproto.Time
	for _, rec := range r.page.records {
		w, ok := want[rec.Origin]
		switch {
		case got[rec.Origin]:
			c.failf("%s comes twice:\n\t%v", rec.Origin, r)
		case !ok:
			c.failf("resurrected: %s as %v %s:\n\t%v", rec.Origin, rec.Time, rec.Doc, r)
		case string(rec.Doc) != string(w.Doc) || rec.Time != 0 && rec.Time != w.Time:
			c.failf("%s is %v %s, want %v %s:\n\t%v", rec.Origin, rec.Time, rec.Doc, w.Time, w.Doc, r)
		case w.Time < last:
			c.failf("%s comes after what was written later:\n\t%v", rec.Origin, r)
		}
		got[rec.Origin] = true
		last = max(last, w.Time)
	}
	for _, rec := range all[:n] {
		if !got[rec.Origin] {
			c.failf("missed: %s as %v %s:\n\t%v", rec.Origin, rec.Time, rec.Doc, r)
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

// conflict demands that something was in the way of a refused write.
func (c *checker) conflict(w *writeOp, done []*writeOp) {
	for _, o := range done {
		if o.res.Time > *w.write.IfUnmodifiedSince && !w.before(o.span) {
			return
		}
	}
	c.failf("refused without a reason:\n\t%v", w)
}
