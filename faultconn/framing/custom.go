package framing

// A Scanner divides one direction of a protocol of your own into messages; see
// [Custom].
type Scanner interface {
	// Scan is given the bytes from the beginning of a message, or of a further
	// piece of it, at least one and perhaps too many, and says how long the
	// head of the piece is and how many bytes follow it that need not be looked
	// at. With a Head of 0 it is called again when there are more bytes, from
	// the same beginning, so it must not depend on how often it is asked. An
	// error makes the direction Raw.
	Scan(b []byte) (Step, error)
}

// Step is a piece of a message.
type Step struct {
	Head    int    // bytes of b that say what follows; 0 if b is too short to tell
	Body    int64  // bytes after them; -1 for all up to the end of the stream
	More    bool   // the message goes on after the body, with another head
	Command string // what kind of message it is; the first that is not "" counts
}

// Custom makes a conversation of two scanners, which may share state: they are
// never called at the same time.
func Custom(requests, replies Scanner) *Conversation {
	return conversation(custom{requests}, custom{replies}, &shared{})
}

type custom struct{ Scanner }

func (c custom) scan(b []byte) (step, error) {
	s, err := c.Scan(b)
	if err != nil || s.Head < 0 || s.Head > len(b) || s.Body < rest {
		return step{}, errNotThis
	}
	return step{head: s.Head, body: s.Body, more: s.More, command: s.Command}, nil
}
