package storetest

import (
	"cmp"
	"slices"

	"github.com/brownout-go/brownout/syncproto"
)

// A line is what happened to one collection of the user, in its order.
type line struct {
	key     syncproto.Key
	done    []*writeOp
	over    []*writeOp // refused, of its quota
	moments []moment   // how it was after so many of done
}

// account demands that the writes to all collections of the user can be put in
// one order that explains the quotas: a write goes through, or is refused, for
// what all of them hold then. The times tell the order within each collection
// only, and what overlapped may have happened in any; so all orders are tried.
// What the user holds depends on how far each collection has come, and not on
// the order, and little overlaps, which leaves few cases.
func (c *checker) account() {
	slices.SortFunc(c.lines, func(a, b line) int { return cmp.Compare(a.key.Collection, b.key.Collection) })
	s := &search{lines: c.lines, size: 1}
	for _, l := range c.lines {
		s.size *= len(l.done) + 1
	}
	s.from, s.to = make([]bool, s.size), make([]bool, s.size)
	s.from[0], s.to[s.size-1] = true, true
	furthest := 0
	for at := range s.size {
		if !s.from[at] {
			continue
		}
		if s.sum(at) > s.sum(furthest) {
			furthest = at
		}
		s.steps(at, func(next int) { s.from[next] = true })
	}
	if !s.from[s.size-1] {
		c.failf("no order explains which writes went through:\n%s", s.stuck(furthest))
		return
	}
	for at := s.size - 1; at >= 0; at-- {
		if s.from[at] {
			s.steps(at, func(next int) { s.to[at] = s.to[at] || s.to[next] })
		}
	}
	for l := range c.lines {
		for _, w := range c.lines[l].over {
			if !s.refusable(l, w) {
				c.failf("over the quota without a reason:\n\t%v", w)
			}
		}
	}
	c.usage()
}

// search walks over the cases. One is how many writes each collection has had,
// as a number whose digits, to the base of each collection, those are.
type search struct {
	lines    []line
	size     int
	from, to []bool // cases that can be reached from the beginning, and reach the end
}

func (s *search) digits(at int) []int {
	n := make([]int, len(s.lines))
	for l := range s.lines {
		base := len(s.lines[l].done) + 1
		n[l], at = at%base, at/base
	}
	return n
}

func (s *search) sum(at int) (sum int) {
	for _, n := range s.digits(at) {
		sum += n
	}
	return sum
}

// steps calls each for the cases after one more write.
func (s *search) steps(at int, each func(next int)) {
	n, digit := s.digits(at), 1
	for l := range s.lines {
		if done := s.lines[l].done; n[l] < len(done) {
			if w := done[n[l]]; s.within(w, n, l) && !s.exceeded(w, n, l) {
				each(at + digit)
			}
		}
		digit *= len(s.lines[l].done) + 1
	}
}

// within says whether w, of collection l, may have happened in this case: after
// all that was over before it began, and before all that began after it.
func (s *search) within(w *writeOp, n []int, l int) bool {
	for i, other := range s.lines {
		for k, o := range other.done {
			if o != w && (k >= n[i] && o.before(w.span) || k < n[i] && w.before(o.span)) {
				return false
			}
		}
	}
	return true
}

// exceeded says whether w, of collection l, is over its quota in this case.
func (s *search) exceeded(w *writeOp, n []int, l int) bool {
	if w.write.Quota == (syncproto.Quota{}) || w.write.Delete != nil {
		return false
	}
	q, now := w.write.Quota, s.lines[l].moments[n[l]]
	apps, bytes := 0, int64(0)
	for _, a := range w.write.Apps {
		old, ok := now.records[a.Origin]
		if bytes += int64(len(a.Doc) - len(old.Doc)); !ok {
			apps++
		}
	}
	collections, total := 1, bytes // with this one
	for i, other := range s.lines {
		if total += other.moments[n[i]].bytes; i != l && n[i] > 0 {
			collections++
		}
	}
	return q.Apps > 0 && apps > 0 && len(now.records)+apps > q.Apps ||
		q.Bytes > 0 && bytes > 0 && total > q.Bytes ||
		q.Collections > 0 && n[l] == 0 && collections > q.Collections
}

// refusable says whether w, of collection l, was over its quota in a case that
// there may have been while it was under way.
func (s *search) refusable(l int, w *writeOp) bool {
	for at := range s.size {
		if !s.from[at] || !s.to[at] {
			continue
		}
		if n := s.digits(at); s.within(w, n, l) && s.exceeded(w, n, l) {
			return true
		}
	}
	return false
}

// stuck lists the next writes after the last case that can be reached.
func (s *search) stuck(at int) (text string) {
	for l, n := range s.digits(at) {
		if done := s.lines[l].done; n < len(done) {
			text += "\t" + done[n].String() + "\n"
		}
	}
	return text
}

// usage demands that what is counted in the end is what is there.
func (c *checker) usage() {
	if !c.h.counted {
		return
	}
	left := map[string]syncproto.Usage{}
	for _, u := range c.h.usage {
		left[u.Collection] = u
	}
	for _, l := range c.lines {
		end := l.moments[len(l.done)]
		u, ok := left[l.key.Collection]
		delete(left, l.key.Collection)
		if ok != (len(l.done) > 0) || u.Last != end.last || u.Apps != len(end.records) || u.Bytes != end.bytes {
			c.failf("counted of %s: %d apps and %d bytes at %v; there are %d and %d at %v",
				l.key.Collection, u.Apps, u.Bytes, u.Last, len(end.records), end.bytes, end.last)
		}
	}
	for name := range left {
		c.failf("there is a collection %s, and every write to it was refused", name)
	}
}
