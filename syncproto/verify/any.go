package verify

import (
	"context"
	"errors"

	"github.com/brownout-go/brownout/syncproto"
)

// Any asks one verifier after the other until one accepts. If none does,
// the answer is that the assertion is bad, unless one could not tell.
type Any []syncproto.Verifier

// Verify implements [syncproto.Verifier].
func (vs Any) Verify(ctx context.Context, assertion, audience string) (syncproto.Identity, error) {
	err := syncproto.ErrBadAssertion
	for _, v := range vs {
		id, e := v.Verify(ctx, assertion, audience)
		if e == nil {
			return id, nil
		}
		if errors.Is(err, syncproto.ErrBadAssertion) {
			err = e
		}
	}
	return syncproto.Identity{}, err
}
