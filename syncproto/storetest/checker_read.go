package storetest

import (
	"slices"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// read demands that a read is of one moment, and none that was over by then.
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
