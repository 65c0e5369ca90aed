package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/browserid"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// Services log in with a token of their own, people with an assertion. In
// production a browserid.Verifier stands where Development does here.
func Example() {
	sum := sha256.Sum256([]byte("s3cr3t-and-long")) // what sha256sum prints
	v := verify.Any{
		verify.Tokens{hex.EncodeToString(sum[:]): "backup@example.com"},
		browserid.Development{},
	}
	const audience = "https://apps.example.com"
	id, err := v.Verify(context.Background(), "s3cr3t-and-long", audience)
	fmt.Println(id.Email, err)
	assertion := browserid.TestAssertion{Email: "ann@example.com", Audience: audience}
	id, err = v.Verify(context.Background(), assertion.String(), audience)
	fmt.Println(id.Email, err)
	_, err = v.Verify(context.Background(), "guessed", audience)
	fmt.Println(errors.Is(err, syncproto.ErrBadAssertion)) // a 401
	// Output:
	// backup@example.com <nil>
	// ann@example.com <nil>
	// true
}
