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
	_, err := d.send(ctx, b, rep)
	return err
}

// push sends what has changed, in as many pushes as it takes. It returns false
// if somebody else was faster and the device has to pull first. A push that is
// too much for the server is made of fewer documents.
func (d *Device) push(ctx context.Context, rep *Report) (done bool, err error) {
	for most := pushApps; ; {
		var b *batch
		d.mu.Lock()
		if len(d.st.Changed) > 0 {
			b = d.st.next(most)
			if since := d.st.Since; !d.st.Revive {
				b.LastGet = &since
			}
			d.st.Push = b
		}
		d.mu.Unlock()
		if b == nil {
			return true, nil
		}
		if err := d.persist(ctx); err != nil {
			return false, err
		}
		sent, err := d.send(ctx, b, rep)
		var status *StatusError
		if n := len(b.Changes); n > 1 && errors.As(err, &status) && status.Status == http.StatusRequestEntityTooLarge {
			most = n / 2
			continue
		}
		if !sent || err != nil {
			return false, err
		}
	}
}

// send sends a batch. False means a conflict.
func (d *Device) send(ctx context.Context, b *batch, rep *Report) (bool, error) {
	query := ""
	if b.LastGet != nil {
		query = "?lastget=" + b.LastGet.String()
	}
	var v struct {
		Received syncproto.Time `json:"received"`
	}
	err := d.call(ctx, request{op: "push", method: http.MethodPost, query: query, body: b.Body, id: b.ID}, &v)
	var status *StatusError
	switch {
	case errors.As(err, &status) && status.Status == http.StatusPreconditionFailed:
		rep.Conflicts++
		return false, d.update(ctx, func(s *state) { s.recall(b) })
	case errors.As(err, &status) && refused(status.Status):
		return false, errors.Join(err, d.update(ctx, func(s *state) { s.recall(b) }))
	case err != nil:
		return false, err
	}
	rep.Pushed += len(b.Changes)
	err = d.update(ctx, func(s *state) {
		s.acknowledge(b)
		s.Revive = false
		if v.Received > s.Since && b.LastGet != nil {
			s.Since = v.Received
		}
	})
	d.progress(rep)
	return err == nil, err
}
