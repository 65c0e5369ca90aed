package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/brownout-go/brownout/syncproto"
)

// limits are what the server takes, as it says at /info/configuration. What it
// does not say is what servers have by default.
type limits struct {
	Body   int `json:"max_body_bytes"`
	Apps   int `json:"max_push_apps"`
	Doc    int `json:"max_document_bytes"`
	Depth  int `json:"max_document_depth"`
	Origin int `json:"max_origin_bytes"`
}

func defaultLimits() limits {
	return limits{Body: 4 << 20, Apps: 10_000, Doc: 1 << 20, Depth: 32, Origin: syncproto.MaxOrigin}
}

// fetchLimits asks the server. An error means that it could not be asked; one
// that answers something else has no more to say than the default.
func fetchLimits(ctx context.Context, o options) (limits, error) {
	l := defaultLimits()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+"/info/configuration", nil)
	if err != nil {
		return l, err
	}
	res, err := (&http.Client{Transport: o.transport}).Do(req)
	if err != nil {
		return l, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	switch {
	case err != nil:
		return l, err
	case res.StatusCode >= 500:
		return l, fmt.Errorf("limits: status %d", res.StatusCode)
	case res.StatusCode != http.StatusOK || json.Unmarshal(b, &l) != nil:
		return defaultLimits(), nil
	}
	return l, nil
}

// check says why the server would refuse a document. One that it refuses would
// hold up all that are pushed with it.
func (l limits) check(f file) error {
	switch {
	case len(f.origin) > l.Origin:
		return fmt.Errorf(`an "origin" of %d bytes: the server takes %d`, len(f.origin), l.Origin)
	case len(f.doc) > l.Doc:
		return fmt.Errorf("%d bytes without white space: the server takes %d", len(f.doc), l.Doc)
	case len(f.doc)+len("[]") > l.Body:
		return fmt.Errorf("%d bytes without white space: the server takes %d in a request", len(f.doc), l.Body)
	}
	dec := json.NewDecoder(bytes.NewReader(f.doc))
	dec.UseNumber()
	return l.shape(dec, 1)
}

// shape looks for names that occur twice in an object, which servers refuse, and
// for what is nested too deep. It reads one value, which is valid JSON.
func (l limits) shape(dec *json.Decoder, depth int) error {
	open, _ := dec.Token()
	if open != json.Delim('{') && open != json.Delim('[') {
		return nil
	}
	if depth > l.Depth {
		return fmt.Errorf("more than %d levels of objects and arrays, which is what the server takes", l.Depth)
	}
	names := map[json.Token]bool{}
	for dec.More() {
		if open == json.Delim('{') {
			name, _ := dec.Token()
			if names[name] {
				return fmt.Errorf("two members of the name %q in one object", name)
			}
			names[name] = true
		}
		if err := l.shape(dec, depth+1); err != nil {
			return err
		}
	}
	_, err := dec.Token() // the end
	return err
}

// maxBatch is how many documents the client sends in one push.
const maxBatch = 1000

// A batch is what goes in one push.
type batch struct {
	docs  []json.RawMessage
	bytes int
}

// add says whether there is room for a document that passed check.
func (b *batch) add(l limits, doc json.RawMessage) bool {
	bytes := b.bytes + len(doc) + len(",")
	if len(b.docs) > 0 && (len(b.docs) >= min(l.Apps, maxBatch) || bytes+len("]") > l.Body) {
		return false
	}
	b.docs, b.bytes = append(b.docs, doc), bytes
	return true
}
