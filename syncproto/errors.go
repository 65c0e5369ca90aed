package syncproto

import "errors"

// Errors that the parts of a [Handler] return on purpose, or wrap. Any other
// error says that a part does not work, and becomes a 503 without a word of it.
var (
	// ErrConflict is a [Store]'s: the collection changed after
	// Write.IfUnmodifiedSince. It becomes a 412.
	ErrConflict = errors.New("syncproto: the collection has changed since")
	// ErrBadAssertion is a [Verifier]'s, for an assertion that it does not
	// accept. It becomes a 401, with the text of what wraps it.
	ErrBadAssertion = errors.New("assertion not accepted")
	// ErrNoSession is that of [Sessions], for a token that is not, or no longer,
	// one of the user's. It becomes a 401.
	ErrNoSession = errors.New("syncproto: no such session")
)
