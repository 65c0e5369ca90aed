package verify

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/brownout-go/brownout/syncproto"
)

// Plain accepts assertions of the form EMAIL?a=AUDIENCE, as the first
// server's documentation used them. DEVELOPMENT ONLY: anyone can log in as
// anyone, and so every [syncproto.Identity] is marked so. The audience may be
// percent-encoded; it must be there.
type Plain struct{}

// Verify implements [syncproto.Verifier].
func (Plain) Verify(_ context.Context, assertion, audience string) (syncproto.Identity, error) {
	email, want, ok := strings.Cut(assertion, "?a=")
	name, host, at := strings.Cut(email, "@")
	if !ok || !at || name == "" || host == "" {
		return syncproto.Identity{}, fmt.Errorf("verify: want EMAIL?a=AUDIENCE: %w", syncproto.ErrBadAssertion)
	}
	if decoded, err := url.QueryUnescape(want); want != audience && (err != nil || decoded != audience) {
		return syncproto.Identity{}, fmt.Errorf("verify: made for another audience: %w", syncproto.ErrBadAssertion)
	}
	return syncproto.Identity{Email: email, Issuer: host, Development: true}, nil
}
