package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/brownout-go/brownout/internal/uuid"
	"github.com/brownout-go/brownout/syncproto"
)

// state is what a device has to remember.
type state struct {
	Server string `json:"server,omitempty"` // that URL and Auth are of
	User   string `json:"user,omitempty"`
	URL    string `json:"collection_url,omitempty"`
	Auth   string `json:"authorization,omitempty"`

	Since syncproto.Time `json:"since"`
	UUID  string         `json:"uuid,omitempty"`
	// Docs are the documents by origin, and Changed those of them that the
	// server does not have so; of a removed one there is no document. Numbers
	// tell a change that happened during a push from the one pushed.
	Docs    map[string]json.RawMessage `json:"docs"`
	Changed map[string]uint64          `json:"changed"`
	Changes uint64                     `json:"changes"`
	// Local are documents that no push has carried: removing one leaves nothing
	// to tell others of, and so nothing that counts against a quota.
	Local map[string]bool `json:"local,omitempty"`
	// Stale are documents of an earlier life of the collection. Those that the
	// first complete pull of the new one doesn't bring are dropped.
	Stale map[string]bool `json:"stale,omitempty"`
	// Revive means to push to a deleted collection, whose ETag is Grave.
	Revive bool   `json:"revive,omitempty"`
	Grave  string `json:"grave,omitempty"`
	Push   *batch `json:"push,omitempty"`
}

// batch is a push on its way, as it was first sent.
type batch struct {
	ID      string            `json:"id"`
	Body    json.RawMessage   `json:"body"`
	LastGet *syncproto.Time   `json:"lastget,omitempty"`
	Match   string            `json:"match,omitempty"` // the ETag of a deleted collection
	Changes map[string]uint64 `json:"changes"`
	Local   []string          `json:"local,omitempty"`
}

func newState() *state {
	return &state{Docs: map[string]json.RawMessage{}, Changed: map[string]uint64{}, Local: map[string]bool{}}
}

func (s *state) change(origin string, doc json.RawMessage) {
	if doc == nil && s.Local[origin] {
		s.forget(origin)
		return
	}
	if _, changed := s.Changed[origin]; doc != nil && s.Docs[origin] == nil && !changed {
		s.Local[origin] = true
	}
	s.Changes++
	s.Changed[origin] = s.Changes
	delete(s.Stale, origin)
	s.put(origin, doc)
}

func (s *state) put(origin string, doc json.RawMessage) {
	if doc == nil {
		delete(s.Docs, origin)
	} else {
		s.Docs[origin] = doc
	}
}

// forget drops a document that nobody else knows of.
func (s *state) forget(origin string) {
	delete(s.Local, origin)
	delete(s.Changed, origin)
	delete(s.Docs, origin)
}

// restart forgets which life of the collection the documents are from.
func (s *state) restart() {
	s.Since, s.UUID, s.Push = 0, "", nil
	s.Stale = map[string]bool{}
	for origin := range s.Docs {
		if _, ok := s.Changed[origin]; !ok {
			s.Stale[origin] = true
		}
	}
}

// acknowledge takes note that a batch has arrived.
func (s *state) acknowledge(b *batch) {
	for origin, n := range b.Changes {
		if s.Changed[origin] == n {
			delete(s.Changed, origin)
		}
	}
	s.Push = nil
}

// recall takes back a batch that was refused. If it had not been sent before, it
// has not arrived.
func (s *state) recall(b *batch, sentBefore bool) {
	s.Push = nil
	if sentBefore {
		return
	}
	for _, origin := range b.Local {
		if s.Docs[origin] == nil { // removed meanwhile
			s.forget(origin)
		} else {
			s.Local[origin] = true
		}
	}
}

// next makes the next push of what has changed and was not refused, at most most
// documents.
func (s *state) next(most int, refused aside) *batch {
	origins := make([]string, 0, len(s.Changed))
	for o, n := range s.Changed {
		if !refused.has(o, n) {
			origins = append(origins, o)
		}
	}
	if len(origins) == 0 {
		return nil
	}
	slices.SortFunc(origins, func(a, b string) int { return int(s.Changed[a]) - int(s.Changed[b]) })
	b := &batch{ID: uuid.New(), Changes: map[string]uint64{}}
	b.Body = append(b.Body, '[')
	for i, o := range origins[:min(len(origins), most)] {
		if i > 0 {
			b.Body = append(b.Body, ',')
		}
		doc := s.Docs[o]
		if doc == nil {
			doc = tombstone(o)
		}
		b.Body = append(b.Body, doc...)
		b.Changes[o] = s.Changed[o]
		if s.Local[o] {
			delete(s.Local, o)
			b.Local = append(b.Local, o)
		}
	}
	b.Body = append(b.Body, ']')
	return b
}

// encode keeps documents and batches as they are: a push that is repeated has to
// have the same bytes.
func (s *state) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return b.Bytes(), err
}

// decodeState reads what encode has written.
func decodeState(b []byte) (*state, error) {
	s := newState()
	if err := json.Unmarshal(b, s); err != nil {
		return nil, err
	}
	if s.Docs == nil || s.Changed == nil || s.Local == nil {
		return nil, errors.New("a part of it is null")
	}
	return s, nil
}

// compact returns a copy without white space between the tokens, which is how
// documents are held and compared.
func compact(doc json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, doc) != nil { // it has been parsed before
		return nil
	}
	return b.Bytes()
}

func tombstone(origin string) json.RawMessage {
	b, _ := json.Marshal(struct { // of a string and a bool, and so no error
		Origin  string `json:"origin"`
		Deleted bool   `json:"deleted"`
	}{origin, true})
	return b
}

// identify returns whose document it is and whether it is a tombstone. It goes
// by the very names: to a struct, "Deleted" would be "deleted" as well.
func identify(doc json.RawMessage) (origin string, deleted bool, err error) {
	var v map[string]json.RawMessage
	err = json.Unmarshal(doc, &v)
	if err == nil && v["origin"] != nil {
		err = json.Unmarshal(v["origin"], &origin)
	}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		return "", false, fmt.Errorf("client: document %.80q: want a JSON object whose origin is a string", doc)
	}
	if err != nil {
		return "", false, fmt.Errorf("client: document %.80q: %w", doc, err)
	}
	if origin == "" {
		return "", false, fmt.Errorf("client: document %.80q: no origin", doc)
	}
	return origin, string(v["deleted"]) == "true", nil
}
