package syncproto

import (
	"context"
	"errors"
	"net/url"
	"strings"
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

// ErrBadAssertion is what a [Verifier] returns or wraps for an assertion that
// it does not accept.
var ErrBadAssertion = errors.New("assertion not accepted")

// An Identity is whom an assertion names.
type Identity struct {
	Email   string    // the user; at most [MaxUser] bytes
	Issuer  string    // who vouches for it, a host name
	Expires time.Time // when the assertion ends; zero if it doesn't say
	// Development marks an assertion that anyone could have made. The handler
	// refuses it unless Config.Development is set.
	Development bool
}

// PlainVerifier accepts assertions of the form EMAIL?a=AUDIENCE, as the first
// server's documentation used them. DEVELOPMENT ONLY: anyone can log in as
// anyone, and so every [Identity] is marked so. The audience may be
// percent-encoded; it must be there.
type PlainVerifier struct{}

// Verify implements [Verifier].
func (PlainVerifier) Verify(_ context.Context, assertion, audience string) (Identity, error) {
	email, want, ok := strings.Cut(assertion, "?a=")
	name, host, at := strings.Cut(email, "@")
	if !ok || !at || name == "" || host == "" {
		return Identity{}, ErrBadAssertion
	}
	if decoded, err := url.QueryUnescape(want); want != audience && (err != nil || decoded != audience) {
		return Identity{}, ErrBadAssertion
	}
	return Identity{Email: email, Issuer: host, Development: true}, nil
}

// Verifiers asks one verifier after the other until one accepts. If none does,
// the answer is that the assertion is bad, unless one could not tell.
type Verifiers []Verifier

// Verify implements [Verifier].
func (vs Verifiers) Verify(ctx context.Context, assertion, audience string) (Identity, error) {
	err := ErrBadAssertion
	for _, v := range vs {
		id, e := v.Verify(ctx, assertion, audience)
		if e == nil {
			return id, nil
		}
		if errors.Is(err, ErrBadAssertion) {
			err = e
		}
	}
	return Identity{}, err
}
