package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// refusals are the statuses of a push that will never go through as it is.
var refusals = []int{http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge}

const (
	maxRounds = 8    // of pull and push before a sync gives up
	pushApps  = 1000 // documents in one push
)

// Sync pulls what is new and pushes what was changed here. Its errors are those
// of the network and of the context, [StatusError], [DeletedError] and
// [ErrBusy]; after each of them the device is as consistent as before, and the
// next Sync goes on where this one ended. The report is valid also then.
func (d *Device) Sync(ctx context.Context) (Report, error) {
	var rep Report
	if err := take(ctx, d.turn); err != nil {
		return rep, err
	}
	defer func() { <-d.turn }()
	for range maxRounds {
		if err := d.repeat(ctx, &rep); err != nil {
			return rep, err
		}
		if err := d.pull(ctx, &rep); err != nil {
			return rep, err
		}
		done, err := d.push(ctx, &rep)
		if done || err != nil {
			return rep, err
		}
	}
	return rep, ErrBusy
}

func (d *Device) progress(rep *Report) {
	if d.cfg.OnProgress != nil {
		d.cfg.OnProgress(*rep)
	}
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

// page is an answer to a pull.
type page struct {
	UUID       *string             `json:"uuid"`
	Apps       []json.RawMessage   `json:"applications"`
	Until      *syncproto.Time     `json:"until"`
	Incomplete bool                `json:"incomplete"`
	Deleted    *syncproto.Deletion `json:"collection_deleted"`
}

// pull takes in all pages of news.
func (d *Device) pull(ctx context.Context, rep *Report) error {
	for {
		d.mu.Lock()
		since := d.st.Since
		d.mu.Unlock()
		var p page
		if err := d.call(ctx, request{op: "pull", method: http.MethodGet, query: "?since=" + since.String()}, &p); err != nil {
			return err
		}
		if p.Deleted != nil {
			d.mu.Lock()
			revive := d.st.Revive
			d.mu.Unlock()
			if revive {
				return nil // and the push makes it anew
			}
			return &DeletedError{*p.Deleted}
		}
		if p.Until == nil {
			return &StatusError{Op: "pull", Status: http.StatusOK, Reason: "the answer is not a page"}
		}
		restarted := false
		err := d.update(ctx, func(s *state) {
			s.Revive = false
			restarted = s.take(p, d.cfg.Merge, rep)
		})
		if err != nil {
			return err
		}
		d.progress(rep)
		if !restarted && !p.Incomplete {
			return nil
		}
	}
}

// take applies a page. It returns true if the collection has begun a new life
// and has to be pulled from its beginning.
func (s *state) take(p page, merge func(string, json.RawMessage, json.RawMessage) json.RawMessage, rep *Report) (restarted bool) {
	uuid := ""
	if p.UUID != nil {
		uuid = *p.UUID
	}
	lost := uuid == "" && s.Since > 0 // not deleted, and yet gone
	if lost || uuid != s.UUID && s.UUID != "" {
		if lost {
			for origin, doc := range s.Docs {
				s.change(origin, doc)
			}
		}
		s.restart()
		rep.Restarted = true
		return true
	}
	s.UUID = uuid
	for _, doc := range p.Apps {
		origin, deleted, err := identify(doc)
		if err != nil {
			continue // what no device can have sent through a server that checks
		}
		rep.Pulled++
		delete(s.Stale, origin)
		remote := compact(doc)
		if deleted {
			remote = nil
		}
		if _, changed := s.Changed[origin]; !changed {
			s.put(origin, remote)
			continue
		}
		local := s.Docs[origin]
		if bytes.Equal(local, remote) {
			delete(s.Changed, origin)
			continue
		}
		rep.Merged++
		merged := merge(origin, local, remote)
		if bytes.Equal(merged, remote) {
			s.put(origin, remote)
			delete(s.Changed, origin)
			continue
		}
		s.change(origin, merged)
	}
	s.Since = *p.Until
	if !p.Incomplete {
		for origin := range s.Stale {
			delete(s.Docs, origin)
		}
		s.Stale = nil
	}
	return false
}

// push sends what has changed, in as many pushes as it takes. It returns false
// if somebody else was faster and the device has to pull first.
func (d *Device) push(ctx context.Context, rep *Report) (done bool, err error) {
	for {
		var b *batch
		d.mu.Lock()
		if len(d.st.Changed) > 0 {
			b = d.st.next(pushApps)
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
		if sent, err := d.send(ctx, b, rep); !sent || err != nil {
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
		return false, d.update(ctx, func(s *state) { s.Push = nil })
	case errors.As(err, &status) && slices.Contains(refusals, status.Status):
		return false, errors.Join(err, d.update(ctx, func(s *state) { s.Push = nil }))
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

// Wait returns nil when there is news to sync, or when the time is up.
func (d *Device) Wait(ctx context.Context, most time.Duration) error {
	begin := time.Now()
	d.mu.Lock()
	since := d.st.Since
	d.mu.Unlock()
	var p page
	seconds := syncproto.Time(most / syncproto.Tick).String()
	if err := d.call(ctx, request{op: "pull", method: http.MethodGet, query: "?limit=1&since=" + since.String() + "&wait=" + seconds}, &p); err != nil {
		return err
	}
	if len(p.Apps) > 0 || p.Deleted != nil {
		return nil
	}
	t := time.NewTimer(most - time.Since(begin))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Delete deletes the collection, here and on the server. Other devices are told
// by whom and why.
func (d *Device) Delete(ctx context.Context, by, reason string) error {
	if err := take(ctx, d.turn); err != nil {
		return err
	}
	defer func() { <-d.turn }()
	body, err := json.Marshal(syncproto.Deletion{ClientID: by, Reason: reason})
	if err != nil {
		return err
	}
	if err := d.call(ctx, request{op: "delete", method: http.MethodPost, query: "?delete", body: body, id: syncproto.NewUUID()}, nil); err != nil {
		return err
	}
	return d.Forget(ctx)
}
