package syncproto

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// scanner walks over JSON that is known to be valid, and finds what
// encoding/json lets pass: names that occur twice, of which readers disagree
// which counts, and nesting that is only there to be expensive.
type scanner struct {
	b       []byte
	i       int
	depth   int
	most    int  // levels allowed
	shallow bool // values are known to be fine: skip over them
}

// space skips blanks and returns the byte after them.
func (s *scanner) space() byte {
	for s.b[s.i] == ' ' || s.b[s.i] == '\t' || s.b[s.i] == '\n' || s.b[s.i] == '\r' {
		s.i++
	}
	return s.b[s.i]
}

// string skips over a string and returns it with its quotes.
func (s *scanner) string() []byte {
	start := s.i
	for s.i++; s.b[s.i] != '"'; s.i++ {
		if s.b[s.i] == '\\' {
			s.i++
		}
	}
	s.i++
	return s.b[start:s.i]
}

// value skips over any value and returns it.
func (s *scanner) value() ([]byte, *refusal) {
	c := s.space()
	start := s.i
	var err *refusal
	switch {
	case c == '"':
		s.string()
	case (c == '{' || c == '[') && s.shallow:
		s.skip()
	case c == '{':
		err = s.object(func(string, []byte) *refusal { return nil })
	case c == '[':
		err = s.array(func([]byte) *refusal { return nil })
	default:
		for s.i < len(s.b) && strings.IndexByte(",]} \t\r\n", s.b[s.i]) < 0 {
			s.i++
		}
	}
	return s.b[start:s.i], err
}

// skip goes over an object or array without looking into it.
func (s *scanner) skip() {
	for depth := 0; ; {
		switch s.b[s.i] {
		case '"':
			s.string()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.i++
		if depth == 0 {
			return
		}
	}
}

func (s *scanner) enter() *refusal {
	s.i++
	if s.depth++; s.depth > s.most {
		return bad(CodeDocument, fmt.Sprintf("more than %d levels of objects and arrays", s.most-1))
	}
	return nil
}

// array calls each with every element.
func (s *scanner) array(each func(value []byte) *refusal) *refusal {
	if err := s.enter(); err != nil {
		return err
	}
	for s.space() != ']' {
		v, err := s.value()
		if err != nil {
			return err
		}
		if err := each(v); err != nil {
			return err
		}
		if s.space() == ',' {
			s.i++
		}
	}
	s.i++
	s.depth--
	return nil
}

// object calls each with every member.
func (s *scanner) object(each func(name string, value []byte) *refusal) *refusal {
	if err := s.enter(); err != nil {
		return err
	}
	var seen names
	for s.space() != '}' {
		name := unquote(s.string())
		if !seen.add(name) {
			return bad(CodeDocument, fmt.Sprintf("an object with two members of the name %.64q", name))
		}
		s.space()
		s.i++ // the colon
		v, err := s.value()
		if err != nil {
			return err
		}
		if err := each(name, v); err != nil {
			return err
		}
		if s.space() == ',' {
			s.i++
		}
	}
	s.i++
	s.depth--
	return nil
}

func unquote(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b[1 : len(b)-1])
	}
	var s string
	json.Unmarshal(b, &s) // valid, and so no error
	return s
}

// names is a set that needs no map while it is small, as most are.
type names struct {
	few  []string
	many map[string]bool
}

func (n *names) add(name string) bool {
	if n.many == nil {
		for _, s := range n.few {
			if s == name {
				return false
			}
		}
		if len(n.few) < 16 {
			n.few = append(n.few, name)
			return true
		}
		n.many = make(map[string]bool)
		for _, s := range n.few {
			n.many[s] = true
		}
	}
	if n.many[name] {
		return false
	}
	n.many[name] = true
	return true
}
