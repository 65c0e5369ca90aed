package syncproto

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// push takes in apps.
func (x *exchange) push() {
	if !x.authorize() {
		return
	}
	since, bad := x.condition()
	if bad != nil {
		x.refuse(bad)
		return
	}
	body, bad := x.body(x.cfg.Limits.Body)
	if bad != nil {
		x.refuse(bad)
		return
	}
	apps, bad := parseApps(body, x.cfg.Limits)
	if bad != nil {
		x.refuse(bad)
		return
	}
	x.event.Apps = len(apps)
	for _, a := range apps {
		x.event.Bytes += int64(len(a.Doc))
	}
	x.write(body, Write{Apps: apps, IfUnmodifiedSince: since})
}

// delete takes a whole collection away. It has no precondition and never had.
func (x *exchange) delete() {
	if !x.authorize() {
		return
	}
	body, bad := x.body(min(x.cfg.Limits.Body, maxDeletion))
	if bad != nil {
		x.refuse(bad)
		return
	}
	d, bad := parseDeletion(body)
	if bad != nil {
		x.refuse(bad)
		return
	}
	x.write(body, Write{Delete: d})
}

// maxDeletion bounds the words with which a client deletes a collection.
const maxDeletion = 16 << 10

// write makes a write that came with that body, and answers.
func (x *exchange) write(body []byte, w Write) {
	idempotent := x.r.Header.Get("Idempotency-Key")
	if len(idempotent) > maxIDKey {
		x.refuse(bad(CodeParameter, fmt.Sprintf("Idempotency-Key: at most %d bytes", maxIDKey)))
		return
	}
	if idempotent != "" {
		w.ID = writeID(x.event.Op, idempotent, body)
	}
	w.Quota = x.cfg.Quota
	res, err := x.cfg.Store.Write(x.r.Context(), x.key, w)
	var quota *QuotaError
	switch {
	case errors.Is(err, ErrConflict):
		x.conflict(res.Previous)
		return
	case errors.As(err, &quota):
		x.refuse(&refusal{http.StatusForbidden, CodeQuota, fmt.Sprintf("over the quota of %d %s", quota.Limit, quota.What)})
		return
	case err != nil:
		x.unavailable(fmt.Errorf("syncproto: write: %w", err))
		return
	}
	x.hub.wake(x.key)
	x.event.Replayed = res.Replayed
	received := x.received(w, res)
	// The ETag is good as a condition, and so for who has seen everything only.
	if w.Delete == nil && !res.Replayed && !x.event.Repaired {
		x.setETag(State{UUID: res.UUID, Last: res.Time})
	}
	x.holds(received)
	b := received.append(append(x.buf[:0], `{"received":`...))
	x.send(http.StatusOK, append(b, '}'))
}

// received is what the client takes as its next since. If others wrote what it
// has not seen, it is told what it has seen, and will be given the rest. It is
// never zero, which the first clients take for never having pushed.
func (x *exchange) received(w Write, res Result) Time {
	if w.IfUnmodifiedSince != nil { // and so had seen everything
		return max(res.Time, 1)
	}
	seen, err := x.cfg.Marks.Mark(x.r.Context(), x.mark)
	if err != nil {
		x.event.Err = fmt.Errorf("syncproto: marks: %w", err)
		seen = 0
	}
	if res.Previous > seen {
		x.event.Repaired = true
		return max(seen, 1)
	}
	return max(res.Time, 1)
}

// condition reads up to which time the client says it has seen everything, by
// any of the names that it goes by.
func (x *exchange) condition() (*Time, *refusal) {
	q := x.r.URL.Query()
	for _, c := range []struct {
		name, value string
		given       bool
	}{
		// An empty since is the first of pulls; an empty lastget is a mistake.
		{"lastget", q.Get("lastget"), q.Has("lastget")},
		{"since", q.Get("since"), q.Get("since") != ""},
		{"X-If-Unmodified-Since", x.r.Header.Get("X-If-Unmodified-Since"), x.r.Header.Get("X-If-Unmodified-Since") != ""},
	} {
		if !c.given {
			continue
		}
		t, err := ParseTime(c.value)
		if err != nil {
			return nil, bad(CodeParameter, c.name+": want a decimal number of seconds")
		}
		return &t, nil
	}
	if v := x.r.Header.Get("If-Match"); v != "" {
		t, ok := etagTime(v)
		if !ok {
			return nil, bad(CodeParameter, "If-Match: want one ETag as a pull gave it")
		}
		return &t, nil
	}
	return nil, nil
}

func parseDeletion(body []byte) (*Deletion, *refusal) {
	var d struct {
		ClientID *string `json:"client_id"`
		Reason   string  `json:"reason"`
	}
	if !json.Valid(body) {
		return nil, bad(CodeJSON, "the body is not JSON")
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, bad(CodeDocument, "want an object with client_id and reason, both strings")
	}
	if d.ClientID == nil {
		return nil, bad(CodeMissing, "client_id is missing")
	}
	return &Deletion{ClientID: *d.ClientID, Reason: d.Reason}, nil
}

const maxIDKey = 256

// writeID makes the ID of a write. The body is in it, so that a client that
// uses a key twice by mistake doesn't lose a push.
func writeID(op, key string, body []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%d\n%s", op, len(key), key)
	h.Write(body)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
