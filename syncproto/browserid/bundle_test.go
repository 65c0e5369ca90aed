package browserid

import (
	"errors"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

func TestMalformed(t *testing.T) {
	good := TestAssertion{Email: "alice@example.com", Audience: audience}.String()
	certificate, statement, _ := strings.Cut(good, "~")
	user := ds128Signer("alice@example.com")
	for name, text := range map[string]string{
		"empty":               "",
		"tilde":               "~",
		"no certificate":      statement,
		"certificate only":    certificate,
		"empty certificate":   "~" + statement,
		"empty statement":     certificate + "~",
		"long chain":          strings.Repeat(certificate+"~", 6) + statement,
		"too large":           strings.Repeat("a", maxBundle) + "~a",
		"two parts":           certificate + "~" + statement[:strings.LastIndexByte(statement, '.')],
		"four parts":          certificate + "~" + statement + ".AAAA",
		"not base64url":       certificate + "~!" + statement,
		"statement a number":  certificate + "~" + encodeJSON(1) + "." + encodeJSON(1) + ".AAAA",
		"no exp":              certificate + "~" + user.token(map[string]any{"aud": audience}),
		"exp a string":        certificate + "~" + user.token(map[string]any{"aud": audience, "exp": "never"}),
		"aud a list":          certificate + "~" + user.token(map[string]any{"aud": []string{audience}, "exp": 1}),
		"certificate no key":  user.token(map[string]any{"iss": "example.com", "exp": 9e12}) + "~" + statement,
		"certificate no exp":  user.token(map[string]any{"iss": "example.com", "public-key": user.key}) + "~" + statement,
		"old style, no parts": encodeJSON(map[string]any{}),
		"old style, a number": encodeJSON(map[string]any{"certificates": 1, "assertion": statement}),
	} {
		_, err := Development{}.Verify(t.Context(), text, audience)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %v, want %v", name, err, ErrMalformed)
		}
	}
}

// FuzzVerify: no text makes the verifier panic, and every refusal is the
// client's fault. What is accepted names an address for the audience asked for.
func FuzzVerify(f *testing.F) {
	good := TestAssertion{Email: "alice@example.com", Audience: audience}
	f.Add(good.String())
	good.OldStyle = true
	f.Add(good.String())
	f.Add("~.~.")
	f.Add(strings.Repeat("a.b.c~", 5))
	f.Fuzz(func(t *testing.T, text string) {
		id, err := Development{}.Verify(t.Context(), text, audience)
		if err != nil {
			if !errors.Is(err, syncproto.ErrBadAssertion) {
				t.Errorf("%v is not a bad assertion", err)
			}
			return
		}
		if domain, err := domainOf(id.Email); err != nil || domain == "" {
			t.Errorf("accepted the address %q", id.Email)
		}
	})
}
