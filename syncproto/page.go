package syncproto

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
)

// page is an answer with records, on its way out while the store reads them.
type page struct {
	x     *exchange
	out   *bufio.Writer
	below counter
	since Time
	until Time      // of the last record, or since
	seen  Time      // up to when the client has everything once it has the page
	gone  *Deletion // why there is no page
}

func (x *exchange) newPage(since Time) *page {
	p := &page{x: x, out: x.writers.Get().(*bufio.Writer), below: counter{w: x.w}, since: since, until: since}
	p.out.Reset(&p.below)
	return p
}

func (p *page) free() {
	p.out.Reset(nil)
	p.x.writers.Put(p.out)
}

func (p *page) begin(st State) error {
	p.x.setETag(st)
	p.seen = min(p.since, st.Last)
	if p.gone = st.Deleted; p.gone != nil {
		return nil
	}
	p.x.w.Header().Set("Content-Type", "application/json")
	_, err := p.out.Write(head(p.out.AvailableBuffer(), p.since, st.UUID))
	return err
}

func (p *page) record(r Record) error {
	if p.x.event.Apps > 0 {
		p.out.WriteByte(',')
	}
	p.x.event.Apps++
	p.x.event.Bytes += int64(len(r.Doc))
	p.until, p.seen = r.Time, r.Time
	_, err := p.out.Write(r.Doc)
	return err
}

func (p *page) end(more bool) error {
	p.out.WriteString(`],"until":`)
	p.out.Write(p.until.append(p.out.AvailableBuffer()))
	if more {
		p.out.WriteString(`,"incomplete":true`)
	}
	p.out.WriteByte('}')
	return p.out.Flush()
}

// sent says whether anything has gone out, or has been tried to.
func (p *page) sent() bool { return p.below.n > 0 || p.below.err != nil }

// head is how a page begins, up to where the applications come.
func head(b []byte, since Time, uuid string) []byte {
	b = append(b, `{"since":`...)
	b = since.append(b)
	b = append(b, `,"uuid":`...)
	switch {
	case uuid == "":
		b = append(b, "null"...)
	case strings.ContainsAny(uuid, `"\`): // of a store with ideas of its own
		b = strconv.AppendQuote(b, uuid) // plain ASCII, so that Go's quoting is JSON's
	default:
		b = append(append(append(b, '"'), uuid...), '"')
	}
	return append(b, `,"applications":[`...)
}

// counter knows what has gone out.
type counter struct {
	w   http.ResponseWriter
	n   int64
	err error
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	c.err = err
	return n, err
}
