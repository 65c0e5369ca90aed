package browserid

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTestAssertion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, old := range []bool{false, true} {
			a := TestAssertion{Email: "alice@example.com", Audience: audience, OldStyle: old}
			text := a.String()
			if text != a.String() {
				t.Error("the same description gave two texts")
			}
			if strings.Contains(text, "~") == old {
				t.Errorf("OldStyle %v gave %.40s...", old, text)
			}
			id, err := Development{}.Verify(t.Context(), text, audience)
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Until(id.Expires); id.Email != a.Email || id.Issuer != "browserid.org" || got != time.Minute {
				t.Errorf("got %+v, which expires in %v", id, got)
			}
			time.Sleep(time.Minute + time.Millisecond)
			if _, err := (Development{}).Verify(t.Context(), text, audience); !errors.Is(err, ErrExpired) {
				t.Errorf("a minute later: %v, want %v", err, ErrExpired)
			}
		}
	})
}

// TestPyVEPBadSignature: the original's tests replace a signature by the three
// bytes BAD, which its verifier pads on the left to r = 0.
func TestPyVEPBadSignature(t *testing.T) {
	good := TestAssertion{Email: "alice@example.com", Audience: audience}.String()
	certificate, statement, _ := strings.Cut(good, "~")
	bad := func(token string) string { return token[:strings.LastIndexByte(token, '.')+1] + "QkFE" }
	for name, text := range map[string]string{
		"assertion":   certificate + "~" + bad(statement),
		"certificate": bad(certificate) + "~" + statement,
	} {
		if _, err := (Development{}).Verify(t.Context(), text, audience); !errors.Is(err, ErrSignature) {
			t.Errorf("BAD %s: %v, want %v", name, err, ErrSignature)
		}
	}
}

func TestDevelopment(t *testing.T) {
	for _, c := range []struct {
		assertion TestAssertion
		want      error
	}{
		{TestAssertion{Email: "a@example.com", Issuer: "example.com", Audience: audience}, nil},
		{TestAssertion{Email: "a@example.com", Issuer: "login.persona.org", Audience: audience}, nil},
		{TestAssertion{Email: "a@example.com", Issuer: "example.org", Audience: audience}, ErrIssuer},
		{TestAssertion{Email: "a@example.com", Audience: "http://other"}, ErrAudience},
		{TestAssertion{Email: "a@example.com", Audience: audience + "/"}, ErrAudience},
		{TestAssertion{Email: "a@example.com"}, ErrAudience},
		{TestAssertion{Audience: audience}, ErrMalformed},
	} {
		id, err := Development{}.Verify(t.Context(), c.assertion.String(), audience)
		if !errors.Is(err, c.want) || id.Development != (c.want == nil) {
			t.Errorf("%+v: got %+v, %v; want %v", c.assertion, id, err, c.want)
		}
	}
}

// TestVerifierRefusesTestAssertions: a verifier for real assertions accepts no dummies.
func TestVerifierRefusesTestAssertions(t *testing.T) {
	issuer := rsaSigner(t, "RS256", 2048)
	v := &Verifier{Keys: keys(map[string]*Key{"example.com": issuer.key}), Trusted: []string{"example.com"}}
	for _, text := range []string{
		TestAssertion{Email: "a@example.com", Issuer: "example.com", Audience: audience}.String(),
		TestAssertion{Email: "a@example.com", Audience: audience}.String(),
		"a@example.com?a=" + audience,
	} {
		if id, err := v.Verify(t.Context(), text, audience); err == nil {
			t.Errorf("accepted %.40s as %+v", text, id)
		}
	}
}
