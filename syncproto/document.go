package syncproto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"
)

// parseApps reads a pushed body: an array of documents, each with its origin,
// or an object of documents by origin. Documents are kept as the bytes they
// are. Of two with the same origin the last counts. A refusal says where in the
// body it stopped: it may have thousands of them.
func parseApps(body []byte, l Limits) ([]App, *refusal) {
	if !utf8.Valid(body) {
		return nil, bad(CodeJSON, "the body is not JSON in UTF-8")
	}
	if !json.Valid(body) {
		msg := "the body is not JSON in UTF-8"
		var wrong *json.SyntaxError
		if errors.As(json.Unmarshal(body, new(json.RawMessage)), &wrong) {
			msg += fmt.Sprintf(": %v, at byte %d", wrong, wrong.Offset)
		}
		return nil, bad(CodeJSON, msg)
	}
	p := pushParser{scanner: scanner{b: body, most: l.Depth + 1}, limits: l, at: map[string]int{}}
	var err *refusal
	switch p.space() {
	case '[':
		err = p.array(p.app)
	case '{':
		err = p.object(p.member)
	default:
		err = bad(CodeDocument, "want an array of apps, or an object of apps by origin")
	}
	if err != nil {
		err.msg += fmt.Sprintf(", at byte %d", p.i)
		return nil, err
	}
	return p.apps, nil
}

type pushParser struct {
	scanner
	limits Limits
	apps   []App
	at     map[string]int // of each origin in apps
}

// app takes an element of the array.
func (p *pushParser) app(value []byte) *refusal {
	origin, err := p.origin(value)
	if err != nil {
		return err
	}
	if origin == nil {
		return bad(CodeDocument, "an app without an origin")
	}
	return p.add(*origin, value)
}

// member takes an app of the object form, whose origin is its name.
func (p *pushParser) member(name string, value []byte) *refusal {
	origin, err := p.origin(value)
	if err != nil {
		return err
	}
	if origin == nil { // what is pulled has to have it
		quoted, _ := json.Marshal(name)
		doc := append([]byte(`{"origin":`), quoted...)
		if inner := bytes.TrimSpace(value[1 : len(value)-1]); len(inner) > 0 {
			doc = append(append(doc, ','), inner...)
		}
		return p.add(name, append(doc, '}'))
	}
	if *origin != name {
		return bad(CodeDocument, "an app's origin differs from the name it is under")
	}
	return p.add(name, value)
}

// origin finds the origin in a document, nil if it has none.
func (p *pushParser) origin(doc []byte) (*string, *refusal) {
	if doc[0] != '{' {
		return nil, bad(CodeDocument, "an app that is not an object")
	}
	var origin *string
	var other bool
	top := scanner{b: doc, most: 1, shallow: true}
	top.object(func(name string, value []byte) *refusal {
		if name == "origin" {
			if value[0] != '"' || json.Unmarshal(value, &origin) != nil {
				other = true
			}
		}
		return nil
	})
	if other {
		return nil, bad(CodeDocument, "an origin that is not a string")
	}
	return origin, nil
}

func (p *pushParser) add(origin string, doc []byte) *refusal {
	if !validName(origin, p.limits.Origin) {
		return bad(CodeDocument, fmt.Sprintf("an origin that is empty, longer than %d bytes or has control characters", p.limits.Origin))
	}
	if len(doc) > p.limits.Doc {
		return &refusal{http.StatusRequestEntityTooLarge, CodeTooLarge, fmt.Sprintf("an app of more than %d bytes", p.limits.Doc)}
	}
	if i, ok := p.at[origin]; ok {
		p.apps[i].Doc = doc
		return nil
	}
	if len(p.apps) >= p.limits.Apps {
		return &refusal{http.StatusRequestEntityTooLarge, CodeTooLarge, fmt.Sprintf("more than %d apps in one push", p.limits.Apps)}
	}
	p.at[origin] = len(p.apps)
	p.apps = append(p.apps, App{Origin: origin, Doc: doc})
	return nil
}
