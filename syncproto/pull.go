package syncproto

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pull answers what is newer than since.
func (x *exchange) pull() {
	key := x.key
	s, ok := x.authorize()
	if !ok {
		return
	}
	since, limit, bad := x.pullQuery()
	if bad != nil {
		x.refuse(bad)
		return
	}
	if wantsStream(x.r) {
		x.events(since)
		return
	}
	ctx := x.r.Context()
	wait, bad := x.waitQuery()
	if bad != nil {
		x.refuse(bad)
		return
	}
	st, err := x.await(ctx, since, wait)
	if err != nil {
		x.unavailable(err)
		return
	}
	x.w.Header()["Cache-Control"] = []string{"no-cache, private"}
	x.setETag(st)
	name := markName(s, key)
	if v := x.r.Header.Get("If-None-Match"); v != "" && matches(v, st.etag()) {
		x.begin(ctx, name, min(since, st.Last))
		x.event.Idle, x.event.Status = true, http.StatusNotModified
		x.w.WriteHeader(http.StatusNotModified)
		return
	}
	// A State may come from a cache, and be of a while ago. It is good to say
	// that there is no news for a client that has just what it says, and for
	// nothing else.
	if st.Deleted != nil || st.Last != since {
		x.stream(key, name, since, min(since, st.Last), limit)
		return
	}
	x.begin(ctx, name, since)
	x.event.Idle = true
	b := append(head(x.buf[:0], since, st.UUID), `],"until":`...)
	x.send(http.StatusOK, append(since.append(b), '}'))
}

func (x *exchange) pullQuery() (since Time, limit int, _ *refusal) {
	limit = x.cfg.Limits.Page
	raw := x.r.URL.RawQuery
	if raw == "" {
		return 0, limit, nil
	}
	if s, ok := strings.CutPrefix(raw, "since="); ok { // and nothing else, as most polls have it
		if t, ok := parsePlain(s); ok {
			return t, limit, nil
		}
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return 0, 0, bad(CodeParameter, "the query is not urlencoded")
	}
	if s := q.Get("since"); s != "" {
		if since, err = ParseTime(s); err != nil {
			return 0, 0, bad(CodeSince, "since: want a decimal number of seconds")
		}
	}
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return 0, 0, bad(CodeParameter, "limit: want a whole number above zero")
		}
		limit = min(limit, n)
	}
	return since, limit, nil
}

// begin tells the marks what the client says it has.
func (x *exchange) begin(ctx context.Context, name string, since Time) (turn uint64) {
	turn, err := x.cfg.Marks.Begin(ctx, name, since)
	if err != nil {
		x.event.Err = fmt.Errorf("syncproto: marks: %w", err)
	}
	return turn
}

// head begins a page, up to where the applications come.
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

// deleted answers who deleted the collection. Nobody is asked to poll it.
func (x *exchange) deleted(d *Deletion) {
	h := x.w.Header()
	h["X-Sync-Poll"], h["X-Sync-Poll-Time"] = nil, nil
	x.json(http.StatusOK, map[string]*Deletion{"collection_deleted": d})
}

// stream answers a page, each record on its way while the next is read. The
// client has everything up to seen.
func (x *exchange) stream(key Key, name string, since, seen Time, limit int) {
	ctx := x.r.Context()
	turn := x.begin(ctx, name, seen)
	out := x.writers.Get().(*bufio.Writer)
	counted := &counter{w: x.w}
	out.Reset(counted)
	defer func() {
		out.Reset(nil)
		x.writers.Put(out)
	}()

	until, gone := since, (*Deletion)(nil)
	more, err := x.cfg.Store.Read(ctx, key, since, limit, func(st State) error {
		x.setETag(st)
		seen = min(since, st.Last)
		if gone = st.Deleted; gone != nil {
			return nil
		}
		x.w.Header().Set("Content-Type", "application/json")
		_, err := out.Write(head(out.AvailableBuffer(), since, st.UUID))
		return err
	}, func(r Record) error {
		if x.event.Apps > 0 {
			out.WriteByte(',')
		}
		x.event.Apps++
		x.event.Bytes += int64(len(r.Doc))
		until, seen = r.Time, r.Time
		_, err := out.Write(r.Doc)
		return err
	})
	switch {
	case err == nil && gone != nil:
		x.deleted(gone)
		return
	case err == nil:
		out.WriteString(`],"until":`)
		out.Write(until.append(out.AvailableBuffer()))
		if more {
			out.WriteString(`,"incomplete":true`)
		}
		out.WriteByte('}')
		x.event.Status, x.event.Idle = http.StatusOK, x.event.Apps == 0
		err = out.Flush()
	case counted.n == 0 && counted.err == nil:
		x.unavailable(err)
		return
	}
	if err != nil {
		// Half an answer must not look whole.
		x.event.Status, x.event.Err = statusGone, err
		panic(http.ErrAbortHandler)
	}
	if ctx.Err() != nil {
		return // nobody has read it
	}
	if err := x.cfg.Marks.Advance(ctx, name, turn, seen); err != nil {
		x.event.Err = fmt.Errorf("syncproto: marks: %w", err)
	}
}

// counter knows whether anything has gone out.
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
