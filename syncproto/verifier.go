package syncproto

import (
	"context"
	"time"
)

// A Verifier finds out whom an assertion names. It decides who can log in, so
// the rest of the handler's safety rests on it. It is called concurrently.
type Verifier interface {
	// Verify checks that the assertion holds now and was made for exactly that
	// audience. An error that is [ErrBadAssertion] becomes a 401, and its text
	// is shown to whoever sent the assertion; any other error means that the
	// verifier could not tell, and becomes a 503 without a word of it.
	Verify(ctx context.Context, assertion, audience string) (Identity, error)
}

// An Identity is whom an assertion names.
type Identity struct {
	Email   string    // the user; at most [MaxUser] bytes
	Issuer  string    // who vouches for it, a host name
	Expires time.Time // when the assertion ends; zero if it doesn't say
	// Development marks an assertion that anyone could have made. The handler
	// refuses it unless Config.Development is set.
	Development bool
}
