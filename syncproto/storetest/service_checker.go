package storetest

import (
	"github.com/brownout-go/brownout/syncproto"
)

// service checks what only clients of a service are told:
//
//   - who is told of news finds it;
//   - a client of the first kind, which takes until and received for its next
//     since, has after a pull all that there is.
func (c *checker) service(key syncproto.Key, moments []moment) {
	at := map[syncproto.Time]moment{}
	for _, m := range moments {
		at[m.last] = m
	}
	for _, t := range c.h.tells {
		if t.key != key {
			continue
		}
		if m, ok := at[t.until]; !ok || m.by == nil || t.before(m.by.span) {
			c.failf("[%d-%d] told of a write at %v, which there was not", t.begin, t.end, t.until)
		}
		for _, r := range c.h.reads {
			if r.key == key && t.before(r.span) && r.page.state.Last < t.until && !c.excused(r, t.ended) {
				c.failf("[%d-%d] told of a write at %v, and then it is not there:\n\t%v", t.begin, t.end, t.until, r)
			}
		}
	}
	for _, have := range c.h.copies {
		last := have.by.page.state.Last
		m, ok := at[last]
		if have.by.key != key || last < have.seen || !ok {
			continue // the last page was late, or is wrong anyway
		}
		for origin, rec := range m.records {
			if have.docs[origin] != string(rec.Doc) {
				c.failf("a client that has pulled everything has %s of %s, want %v %s:\n\t%v", have.docs[origin], origin, rec.Time, rec.Doc, have.by)
			}
			delete(have.docs, origin)
		}
		for origin, doc := range have.docs {
			c.failf("a client has %s of %s, which there is not:\n\t%v", doc, origin, have.by)
		}
	}
}
