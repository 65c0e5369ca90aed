package backoff

import "context"

// A Store holds the value that an operator sets. It is shared by every server
// of a service and by the operator's tool, so it is usually somewhere else and
// may be slow, down or emptied at any time; a [Source] makes that harmless.
//
// Package storetest checks an implementation against the contract below.
//
//   - A Store may be used by several goroutines at once.
//   - A method honours its context: it returns soon after ctx is done, with an
//     error that unwraps to ctx.Err() or to what a timeout of its own gives
//     (os.ErrDeadlineExceeded). It starts nothing when ctx is already done.
//   - Get, Set and Del return nil only if the store was reached and did it.
type Store interface {
	// Get returns the value that was set last. If there is none, if it was
	// deleted, or if its Until has passed, the error is [ErrNotSet]. If there
	// is one that cannot be understood, the error unwraps to [ErrCorrupt]. Any
	// other error means that the store could not be asked; the caller knows
	// nothing about the value then.
	Get(ctx context.Context) (Value, error)

	// Set replaces the value, all of it: fields that are zero are not kept from
	// the value before. Interval and Until may be rounded up to whole seconds,
	// nothing else may change. A value that [Value.ValidateAt] refuses is
	// refused with its error, and the value before stays. Setting the zero
	// Value is allowed: it says "no backoff" in so many words, and Get returns
	// it with a nil error.
	Set(ctx context.Context, v Value) error

	// Del removes the value. Removing one that is not set is no error.
	Del(ctx context.Context) error
}
