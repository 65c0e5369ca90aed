package backoff

import "errors"

// The errors that others unwrap to.
var (
	// ErrNotSet is what a [Store]'s Get returns, possibly wrapped, when the
	// store answered and holds no value.
	ErrNotSet = errors.New("backoff: no value is set")

	// ErrInvalid is for a [Value] that means nothing: a negative interval, a
	// share outside 0 to 1, an expiry that has passed.
	ErrInvalid = errors.New("invalid value")

	// ErrCorrupt is for a stored value that cannot be understood. A [Source]
	// treats it as no value at all: a lever that somebody bent must not keep
	// the fleet away for ever.
	ErrCorrupt = errors.New("corrupt value")

	// ErrHeld is the Err of a [WaitError] that is not about the request's
	// context.
	ErrHeld = errors.New("the transport does not wait for that")
)
