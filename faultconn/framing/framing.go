package framing

import (
	"bytes"
	"sync"
)

// maxHead bounds how much of a message is looked at before its length must be
// known; what needs more is Raw.
const maxHead = 64 << 10

// Section is what bytes are within their message.
type Section uint8

const (
	// Raw bytes are not understood, or follow an upgrade. They are in no message.
	Raw Section = iota
	// Head bytes are those that say what follows: a request line and header
	// fields, a command, a packet's length and type.
	Head
	// Body bytes are the rest.
	Body
)

// String returns "raw", "head" or "body".
func (s Section) String() string { return [...]string{"raw", "head", "body"}[s] }

// Part says of the first N bytes of a piece what they are.
type Part struct {
	N       int
	Section Section
	// Number counts the messages of this direction from 1; 0 for Raw.
	Number int
	// Command is what kind of message it is, as its protocol calls it: "GET",
	// "set", "COM_QUERY"; for replies a status: "200", "STORED", "ERR". It is
	// "" while not enough of the message has been seen.
	Command string
	// End says that the message ends with these bytes.
	End bool
}

// A Conversation is both directions of a connection. Requests and Replies may
// be used by one goroutine each; the bytes of a request must be given to
// Requests before the server can see them, for what a reply is can depend on
// the request.
type Conversation struct {
	Requests, Replies *Stream
}

// A Stream is one direction.
type Stream struct {
	scan    scanner
	shared  *shared
	seen    []byte // of the piece of head under way
	number  int
	within  bool // a message has begun
	command string
	body    int64 // bytes left; rest if up to the end of the stream
	more    bool  // the message goes on after the body
	raw     bool
	partial Section // of the head under way, once it has been found too short
}

// rest is the length of a body that only the end of the stream ends.
const rest = -1

// A scanner looks at what a message begins with, or at what follows a body
// where the message goes on.
type scanner interface {
	// scan is called with all bytes of the piece so far, at least one, and
	// perhaps more. It must be able to begin anew at every call until it returns
	// a step with a head. An error makes the stream Raw.
	scan(b []byte) (step, error)
}

// A step is a piece of a message: a head, and opaque bytes after it.
type step struct {
	head    int   // length; 0 if b is too short to tell, with section set
	body    int64 // length, or rest
	more    bool  // the message goes on after the body
	command string
	section Section // of the head; zero is Head
	raw     bool    // what follows this message, in this direction, is Raw
}

// shared is what the two directions know of each other.
type shared struct {
	mu  sync.Mutex
	raw bool // both directions, from the next message on
}

func conversation(requests, replies scanner, s *shared) *Conversation {
	return &Conversation{
		Requests: &Stream{scan: requests, shared: s},
		Replies:  &Stream{scan: replies, shared: s},
	}
}

// Next says what the bytes at the front of p are. It takes at least one, unless
// p is empty.
func (s *Stream) Next(p []byte) Part {
	if len(p) == 0 {
		return Part{}
	}
	if !s.within && !s.raw {
		s.shared.mu.Lock()
		s.raw = s.shared.raw
		s.shared.mu.Unlock()
	}
	if s.raw {
		return Part{N: len(p)}
	}
	if !s.within {
		s.within, s.command = true, ""
		s.number++
	}
	if s.body != 0 {
		return s.take(p)
	}
	before := len(s.seen)
	s.seen = append(s.seen, p[:min(len(p), maxHead-before)]...)
	if s.partial != Raw && s.inLines() && len(s.seen) < maxHead && bytes.IndexByte(p, '\n') < 0 {
		return Part{N: len(p), Section: s.partial, Number: s.number, Command: s.command}
	}
	s.partial = Raw
	st, err := s.scanLocked()
	switch {
	case err != nil, st.head == 0 && len(s.seen) >= maxHead:
		s.raw, s.seen = true, nil
		return Part{N: len(p)}
	case st.head == 0:
		s.partial = max(st.section, Head)
		return Part{N: len(p), Section: s.partial, Number: s.number, Command: s.command}
	}
	s.seen = s.seen[:0]
	if s.command == "" {
		s.command = st.command
	}
	s.body, s.more = st.body, st.more
	part := Part{N: st.head - before, Section: max(st.section, Head), Number: s.number, Command: s.command}
	if s.body == 0 && !s.more {
		part.End, s.within = true, false
	}
	s.raw = st.raw
	return part
}

// inLines reports whether a head that is too short can only be completed by a
// newline. To look at it again for every byte that comes would take a time that
// grows with the square of its length.
func (s *Stream) inLines() bool {
	switch scan := s.scan.(type) {
	case *redisScanner:
		return !scan.requests || !scan.within // or it is the name of a command
	case *httpScanner, *smtpRequests, *smtpReplies, memcachedRequests, memcachedReplies, lines:
		return true
	}
	return false
}

func (s *Stream) scanLocked() (step, error) {
	s.shared.mu.Lock()
	defer s.shared.mu.Unlock()
	return s.scan.scan(s.seen)
}

// take is the body.
func (s *Stream) take(p []byte) Part {
	part := Part{N: len(p), Section: Body, Number: s.number, Command: s.command}
	if s.body == rest {
		return part
	}
	if int64(part.N) > s.body {
		part.N = int(s.body)
	}
	s.body -= int64(part.N)
	if s.body == 0 && !s.more {
		part.End, s.within = true, false
	}
	return part
}
