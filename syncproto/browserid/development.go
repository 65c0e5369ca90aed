package browserid

import (
	"context"

	"github.com/brownout-go/brownout/syncproto"
)

// Development is a verifier for tests and for trying a server out. DEVELOPMENT
// ONLY: whoever can reach it can log in as anyone, and so every identity it
// returns is marked [syncproto.Identity.Development]. It accepts test
// assertions (see [TestAssertion]) that the address's own domain, browserid.org
// or login.persona.org issued, and checks them as [Verifier] checks real ones.
//
// It has no fields and is safe for concurrent use. The package verify has a
// verifier of what people can type.
type Development struct{}

var _ syncproto.Verifier = Development{}

// Verify checks an assertion for an audience. Its errors are those of
// [Verifier.Verify].
func (Development) Verify(ctx context.Context, assertion, audience string) (syncproto.Identity, error) {
	v := Verifier{Keys: testKeys, Trusted: []string{"browserid.org", "login.persona.org"}}
	id, err := v.Verify(ctx, assertion, audience)
	id.Development = err == nil
	return id, err
}
