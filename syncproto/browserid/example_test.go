package browserid_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/browserid"
)

// A server for the people of example.com, who log in with the keys that their
// own domain publishes. The key would come from a file or from
// https://example.com/.well-known/browserid.
func Example() {
	published := []byte(`{"algorithm": "DS",
		"p": "ff600483db6abfc5b45eab78594b3533d550d9f1bf2a992a7a8daa6dc34f8045ad4e6e0c429d334eeeaaefd7e23d4810be00e4cc1492cba325ba81ff2d5a5b305a8d17eb3bf4a06a349d392e00d329744a5179380344e82a18c47933438f891e22aeef812d69c8f75e326cb70ea000c3f776dfdbd604638c2ef717fc26d02e17",
		"q": "e21e04f911d1ed7991008ecaab3bf775984309c3",
		"g": "c52a4a0ff3b7e61fdf1867ce84138369a6154f4afa92966e3c827e25cfa6cf508b90e5de419e1337e07a2e9e2a3cd5dea704d175f8ebf6af397d69e110b96afb17c7a03259329e4829b0d03bbc7896b15b4ade53e130858cc34d96269aa89041f409136c7242a38895c9d5bccad4f389af1d7a4bd1398bd072dffa896233397a",
		"y": "2b0b6f44f58ec4fd5043be6c68433bc839bb867276f90a9c7a68071097167d2cab2df53aa5ae928843d15a42412123ee24c4067d7b8587850d1f09fa39cc5bb52f8b8844c3132440f2e455aea8235535b28a8f01588209f145ee1f265257fe9999bc90547ba985052ad4fb320fb9153878164bf3572dc5c4fe493e66506f2b04"}`)
	key := new(browserid.Key)
	if err := json.Unmarshal(published, key); err != nil {
		fmt.Println(err)
		return
	}
	verifier := &browserid.Verifier{
		Keys: func(_ context.Context, issuer string) (*browserid.Key, error) {
			if issuer != "example.com" {
				return nil, browserid.ErrIssuer
			}
			return key, nil
		},
	}

	forged := browserid.TestAssertion{
		Email:    "alice@example.com",
		Audience: "https://sync.example.com",
		Issuer:   "example.com",
	}
	_, err := verifier.Verify(context.Background(), forged.String(), "https://sync.example.com")
	fmt.Println(err)
	fmt.Println(errors.Is(err, syncproto.ErrBadAssertion))
	// Output:
	// browserid: bad signature: assertion not accepted
	// true
}

// A test logs in without an identity provider.
func ExampleDevelopment() {
	login := browserid.TestAssertion{
		Email:    "alice@example.com",
		Audience: "http://localhost:5000",
	}
	identity, err := browserid.Development{}.Verify(context.Background(), login.String(), "http://localhost:5000")
	fmt.Println(identity.Email, identity.Issuer, identity.Development, err)
	// Output: alice@example.com browserid.org true <nil>
}
