package verify_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestPlain(t *testing.T) {
	for _, c := range []struct{ assertion, audience, user string }{
		{"ann@example.com?a=https://x/", "https://x/", "ann@example.com"},
		{"ann@example.com?a=https%3A%2F%2Fx%2F", "https://x/", "ann@example.com"},
		{"ann@example.com?a=100%", "100%", "ann@example.com"}, // as it is, not decoded
		{"ann@example.com?a=", "", "ann@example.com"},
		{"ann@example.com?a=https://x", "https://x/", ""},
		{"ann@example.com?a=100%", "100", ""},
		{"ann@example.com", "", ""},
		{"ann?a=x", "x", ""},
		{"@example.com?a=x", "x", ""},
		{"ann@?a=x", "x", ""},
		{"", "", ""},
	} {
		id, err := verify.Plain{}.Verify(t.Context(), c.assertion, c.audience)
		if id.Email != c.user || errors.Is(err, syncproto.ErrBadAssertion) != (c.user == "") {
			t.Errorf("%q for %q: %q, %v; want %q", c.assertion, c.audience, id.Email, err, c.user)
		}
		if id.Development != (c.user != "") {
			t.Errorf("%q: anyone can make it, and it is not marked so", c.assertion)
		}
	}
}

// Whoever tries a server out gets it wrong at first, and reads the answer.
func TestPlainSaysWhatItWants(t *testing.T) {
	for assertion, want := range map[string]string{
		"ann@example.com":     "verify: want EMAIL?a=AUDIENCE: assertion not accepted",
		"ann@example.com?a=y": "verify: made for another audience: assertion not accepted",
	} {
		if _, err := (verify.Any{verify.Tokens{}, verify.Plain{}}).Verify(t.Context(), assertion, "x"); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", assertion, err, want)
		}
	}
}

func TestTokens(t *testing.T) {
	sum := sha256.Sum256([]byte("secret"))
	hash := hex.EncodeToString(sum[:])
	v := verify.Tokens{hash: "backup@example.com"}
	id, err := v.Verify(t.Context(), "secret", "any site")
	if want := (syncproto.Identity{Email: "backup@example.com", Issuer: "token"}); id != want || err != nil {
		t.Errorf("%+v, %v; want %+v", id, err, want)
	}
	for _, token := range []string{"", "Secret", "secret ", hash} { // the hash is no token
		if id, err := v.Verify(t.Context(), token, "any site"); !errors.Is(err, syncproto.ErrBadAssertion) {
			t.Errorf("%q: %+v, %v", token, id, err)
		}
	}
}

type verifierFunc func(assertion, audience string) (syncproto.Identity, error)

func (f verifierFunc) Verify(_ context.Context, assertion, audience string) (syncproto.Identity, error) {
	return f(assertion, audience)
}

func TestAny(t *testing.T) {
	down := errors.New("down")
	answers := func(err error) syncproto.Verifier {
		return verifierFunc(func(a, _ string) (syncproto.Identity, error) { return syncproto.Identity{Email: a}, err })
	}
	ok, refuses, fails := answers(nil), answers(syncproto.ErrBadAssertion), answers(down)
	for _, c := range []struct {
		vs   verify.Any
		want error
	}{
		{nil, syncproto.ErrBadAssertion},
		{verify.Any{refuses, ok}, nil},
		{verify.Any{fails, ok}, nil},
		{verify.Any{refuses, refuses}, syncproto.ErrBadAssertion},
		{verify.Any{fails, refuses}, down},
		{verify.Any{refuses, fails}, down},
	} {
		if _, err := c.vs.Verify(t.Context(), "a", "b"); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}
