package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/brownout-go/brownout/syncproto"
)

// page is an answer to a pull.
type page struct {
	UUID       json.RawMessage     `json:"uuid"` // null and absent are two things
	Apps       []json.RawMessage   `json:"applications"`
	Until      *syncproto.Time     `json:"until"`
	Incomplete bool                `json:"incomplete"`
	Deleted    *syncproto.Deletion `json:"collection_deleted"`

	etag string
	life string // the UUID, empty if the collection has none
}

// check tells it from whatever else is JSON.
func (p *page) check(h http.Header) (wrong string) {
	p.etag = h.Get("ETag")
	var uuid *string
	switch {
	case p.Deleted != nil:
	case p.UUID == nil || p.Apps == nil || p.Until == nil || json.Unmarshal(p.UUID, &uuid) != nil:
		return "the answer is not a page"
	case uuid != nil:
		p.life = *uuid
	}
	return ""
}

// pull takes in all pages of news. Each has to bring something and to lead on,
// and a collection does not begin anew all the time.
func (d *Device) pull(ctx context.Context, rep *Report) error {
	for restarts, most := 0, 0; restarts < maxRounds; {
		d.mu.Lock()
		since := d.st.Since
		d.mu.Unlock()
		query := "?since=" + since.String()
		if most > 0 {
			query += "&limit=" + strconv.Itoa(most)
		}
		var p page
		err := d.call(ctx, request{op: "pull", method: http.MethodGet, query: query}, &p)
		if errors.Is(err, errTooLong) && most != 1 {
			if most = most / 10; most == 0 {
				most = 1000
			}
			continue
		}
		if err != nil {
			return err
		}
		if p.Deleted != nil {
			d.mu.Lock()
			revive := d.st.Revive
			d.st.Grave = p.etag // saved with the push that makes it anew
			d.mu.Unlock()
			if revive {
				return nil
			}
			return &DeletedError{*p.Deleted}
		}
		if (p.Incomplete || len(p.Apps) > 0) && *p.Until <= since || p.Incomplete && len(p.Apps) == 0 {
			return &StatusError{Op: "pull", Status: http.StatusOK, Reason: "there is more, and the page does not lead to it"}
		}
		restarted := false
		var bad error
		err = d.update(ctx, func(s *state) {
			s.Revive, s.Grave = false, ""
			restarted, bad = s.take(p, d.cfg.Merge, rep)
		})
		if err := errors.Join(bad, err); err != nil {
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

// take applies a page. It returns true if the collection has begun a new life,
// or may have, and has to be pulled from its beginning.
func (s *state) take(p page, merge func(string, json.RawMessage, json.RawMessage) json.RawMessage, rep *Report) (restarted bool, err error) {
	lost := p.life == "" && s.Since > 0 // not deleted, and yet gone
	another := p.life != s.UUID && s.UUID != ""
	// A life that this device began, and has not heard the name of. If nobody has
	// written since, it is still that one.
	unsure := s.UUID == "" && s.Since > 0 && len(p.Apps) > 0
	if lost || another || unsure {
		if lost {
			for origin, doc := range s.Docs {
				s.change(origin, doc)
			}
		}
		s.restart()
		rep.Restarted = rep.Restarted || !unsure
		return true, nil
	}
	s.UUID = p.life
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
		merged, err := fit(origin, merge(origin, local, remote))
		if err != nil {
			return false, err
		}
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
			rep.Restarted = true // in one life a document leaves a tombstone
		}
		s.Stale = nil
	}
	return false, nil
}

// fit looks at what Config.Merge has made: the state could not be stored with
// what is not JSON.
func fit(origin string, merged json.RawMessage) (json.RawMessage, error) {
	if merged == nil {
		return nil, nil
	}
	of, deleted, err := identify(merged)
	switch {
	case err != nil:
		return nil, fmt.Errorf("client: Config.Merge of %q: %w", origin, err)
	case of != origin:
		return nil, fmt.Errorf("client: Config.Merge of %q returned a document of %q", origin, of)
	case deleted:
		return nil, nil
	}
	return compact(merged), nil
}
