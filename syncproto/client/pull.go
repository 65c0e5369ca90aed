package client

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/brownout-go/brownout/syncproto"
)

// page is an answer to a pull.
type page struct {
	UUID       *string             `json:"uuid"`
	Apps       []json.RawMessage   `json:"applications"`
	Until      *syncproto.Time     `json:"until"`
	Incomplete bool                `json:"incomplete"`
	Deleted    *syncproto.Deletion `json:"collection_deleted"`
}

// pull takes in all pages of news. It ends whatever the server says: each page
// has to lead on, and a collection does not begin anew all the time.
func (d *Device) pull(ctx context.Context, rep *Report) error {
	for restarts := 0; restarts < maxRounds; {
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
		if p.Incomplete && *p.Until <= since {
			return &StatusError{Op: "pull", Status: http.StatusOK, Reason: "there is more, and the page does not lead to it"}
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
		if restarted {
			restarts++
		} else if !p.Incomplete {
			return nil
		}
	}
	return ErrBusy
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
		delete(s.Local, origin)
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
