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
