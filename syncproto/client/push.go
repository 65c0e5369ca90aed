package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/brownout-go/brownout/syncproto"
)

// pushApps is how many documents go in one push.
const pushApps = 1000

// refused says whether a push will never go through as it is.
func refused(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge:
		return true
	}
	return false
}

// repeat sends a push again whose answer never came. Otherwise the pull would
// find the device's own change and take it for somebody else's.
func (d *Device) repeat(ctx context.Context, rep *Report) error {
	d.mu.Lock()
	b := d.st.Push
	d.mu.Unlock()
	if b == nil {
		return nil
	}
	_, err := d.send(ctx, b, true, rep)
	if _, bad := unfit(err); bad {
		return nil // and push finds out which document it is
	}
	return err
}

// push sends what has changed, in as many pushes as it takes. It returns false
// if somebody else was faster and the device has to pull first. A push that the
// server refuses is made of fewer documents, down to the one at fault, which is
// put aside.
func (d *Device) push(ctx context.Context, rep *Report) (done bool, err error) {
	most, room, found := pushApps, pushApps, 0
	for {
		b := d.next(most)
		if b == nil || found == maxAside {
			d.mu.Lock()
			defer d.mu.Unlock()
			return true, d.aside.err(d.st.Changed)
		}
		sent, err := d.send(ctx, b, false, rep)
		status, bad := unfit(err)
		switch n := len(b.Changes); {
		case bad && n > 1:
			if most = n / 2; status == http.StatusRequestEntityTooLarge {
				room = most
			}
		case bad:
			d.aside.add(b, err)
			room = pushApps // it was this one
			found++
		case !sent || err != nil:
			return false, err
		default:
			most = min(room, 2*most)
		}
	}
}

// next begins the next push of at most most documents, nil if there is none to
// be made.
func (d *Device) next(most int) *batch {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.st.next(most, d.aside)
	if b == nil {
		return nil
	}
	if since := d.st.Since; !d.st.Revive {
		b.LastGet = &since
	} else {
		b.Match = d.st.Grave
	}
	d.st.Push = b
	return b
}

// receipt is the answer to a write.
type receipt struct {
	Received syncproto.Time `json:"received"`
}

// check tells it from whatever else is JSON: what the server has not said that
// it has must not be taken for arrived.
func (r *receipt) check(http.Header) (wrong string) {
	if r.Received <= 0 {
		return "the answer does not say what was received"
	}
	return ""
}

// send stores a batch and sends it. False means a conflict.
func (d *Device) send(ctx context.Context, b *batch, sentBefore bool, rep *Report) (bool, error) {
	if err := d.persist(ctx); err != nil {
		return false, err
	}
	query := ""
	if b.LastGet != nil {
		query = "?lastget=" + b.LastGet.String()
	}
	var v receipt
	err := d.call(ctx, request{op: "push", method: http.MethodPost, query: query, match: b.Match, body: b.Body, id: b.ID}, &v)
	var status *StatusError
	switch {
	case errors.As(err, &status) && status.Status == http.StatusPreconditionFailed:
		rep.Conflicts++
		return false, d.update(ctx, func(s *state) { s.recall(b, sentBefore) })
	case errors.As(err, &status) && refused(status.Status):
		return false, errors.Join(err, d.update(ctx, func(s *state) { s.recall(b, sentBefore) }))
	case err != nil:
		return false, err
	}
	rep.Pushed += len(b.Changes)
	err = d.update(ctx, func(s *state) {
		s.acknowledge(b)
		s.Revive, s.Grave = false, ""
		if v.Received > s.Since && (b.LastGet != nil || b.Match != "") {
			s.Since = v.Received
		}
	})
	d.progress(rep)
	return err == nil, err
}
