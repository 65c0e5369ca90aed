package syncproto

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pull answers what is newer than since.
func (x *exchange) pull() {
	if !x.authorize() {
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
	wait, bad := x.waitQuery()
	if bad != nil {
		x.refuse(bad)
		return
	}
	st, err := x.await(since, wait)
	if err != nil {
		x.unavailable(fmt.Errorf("syncproto: state: %w", err))
		return
	}
	x.w.Header()["Cache-Control"] = []string{"no-cache, private"}
	x.setETag(st)
	match := x.r.Header.Get("If-None-Match")
	same := match != "" && matches(match, st.etag())
	// A State may come from a cache, and be of a while ago. It is good to say
	// that there is no news for a client that has just what it says, and for
	// nothing else. And the marks have to know: where they believe of a client
	// that it has more, because an answer was lost, that it pulls it now is all
	// that makes it true.
	if (same || st.Deleted == nil && st.Last == since) && x.holds(min(since, st.Last)) {
		x.event.Idle = true
		if same {
			x.event.Status = http.StatusNotModified
			x.w.WriteHeader(http.StatusNotModified)
			return
		}
		b := append(head(x.buf[:0], since, st.UUID), `],"until":`...)
		x.send(http.StatusOK, append(since.append(b), '}'))
		return
	}
	x.stream(since, min(since, st.Last), limit)
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

// begin tells the marks what the client says that it has.
func (x *exchange) begin(since Time) (turn uint64, ok bool) {
	turn, err := x.cfg.Marks.Begin(x.r.Context(), x.mark, since)
	if err != nil {
		x.event.Err = fmt.Errorf("syncproto: marks: %w", err)
	}
	return turn, err == nil
}

func (x *exchange) holds(since Time) bool {
	_, ok := x.begin(since)
	return ok
}

// deleted answers who deleted the collection. Nobody is asked to poll it.
func (x *exchange) deleted(d *Deletion) {
	h := x.w.Header()
	h["X-Sync-Poll"], h["X-Sync-Poll-Time"] = nil, nil
	x.json(http.StatusOK, map[string]*Deletion{"collection_deleted": d})
}

// stream answers a page, each record on its way while the next is read. The
// client has everything up to seen.
func (x *exchange) stream(since, seen Time, limit int) {
	ctx := x.r.Context()
	turn, _ := x.begin(seen)
	p := x.newPage(since)
	defer p.free()
	more, err := x.cfg.Store.Read(ctx, x.key, since, limit, p.begin, p.record)
	switch {
	case err == nil && p.gone != nil:
		x.deleted(p.gone)
		return
	case err == nil:
		x.event.Status, x.event.Idle = http.StatusOK, x.event.Apps == 0
		err = p.end(more)
	case !p.sent():
		x.unavailable(fmt.Errorf("syncproto: read: %w", err))
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
	if err := x.cfg.Marks.Advance(ctx, x.mark, turn, p.seen); err != nil {
		x.event.Err = fmt.Errorf("syncproto: marks: %w", err)
	}
}
