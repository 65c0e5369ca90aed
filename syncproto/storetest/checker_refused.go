package storetest

// conflict demands that something was in the way of a refused write.
func (c *checker) conflict(w *writeOp, done []*writeOp) {
	for _, o := range done {
		if o.res.Time > *w.write.IfUnmodifiedSince && !w.before(o.span) {
			return
		}
	}
	c.failf("refused without a reason:\n\t%v", w)
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
