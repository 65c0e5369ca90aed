package browserid

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/brownout-go/brownout/syncproto"
)

// Why an assertion was refused. Each is a [syncproto.ErrBadAssertion], and none
// repeats what the assertion says: the text is shown to whoever sent it.
var (
	// ErrMalformed: not an assertion.
	ErrMalformed = fmt.Errorf("browserid: malformed: %w", syncproto.ErrBadAssertion)
	// ErrAudience: an assertion for another site.
	ErrAudience = fmt.Errorf("browserid: made for another audience: %w", syncproto.ErrBadAssertion)
	// ErrExpired: the assertion or one of its certificates is past its time.
	ErrExpired = fmt.Errorf("browserid: expired: %w", syncproto.ErrBadAssertion)
	// ErrIssuer: nobody who may vouch for the address has. A Keys function
	// returns it for an issuer it does not know.
	ErrIssuer = fmt.Errorf("browserid: issuer not trusted for this address: %w", syncproto.ErrBadAssertion)
	// ErrSignature: a signature does not match, or is of a kind not accepted.
	ErrSignature = fmt.Errorf("browserid: bad signature: %w", syncproto.ErrBadAssertion)
)

// Verifier checks BrowserID assertions. The zero Verifier knows no issuer and
// refuses every assertion. It is safe for concurrent use as long as its fields
// are left alone.
type Verifier struct {
	// Keys finds the public key of an issuer, a host name taken from an
	// assertion that is not yet verified: a function that asks the network must
	// bound what such a name can make it do. [ErrIssuer] refuses the assertion;
	// any other error is a failure of the backend, not of the assertion, and
	// Verify returns it wrapped. Nil knows no issuer. Called concurrently.
	Keys func(ctx context.Context, issuer string) (*Key, error)

	// Trusted lists the issuers that may vouch for any address. An issuer that
	// is not listed may vouch for the addresses of its own domain only.
	Trusted []string

	// AllowRS64 accepts signatures with 512-bit RSA keys. They can be forged in
	// hours; the specification knows them, tests used them.
	AllowRS64 bool
}

var _ syncproto.Verifier = (*Verifier)(nil)

// Verify checks an assertion for an audience, in this order: it parses; its
// audience is the one given, byte for byte; neither it nor a certificate has
// expired; the first certificate's issuer is trusted, or the address is in its
// domain; each certificate is signed with the key of the one before (the first,
// with the issuer's); the assertion is signed with the key of the last. The
// address is the one that the last certificate names, and the identity expires
// when the assertion does.
func (v *Verifier) Verify(ctx context.Context, assertion, audience string) (syncproto.Identity, error) {
	b, err := parseBundle(assertion)
	if err != nil {
		return syncproto.Identity{}, err
	}
	if b.assertion.Audience != audience {
		return syncproto.Identity{}, ErrAudience
	}
	now := time.Now()
	if expired(b.assertion.Expires, now) {
		return syncproto.Identity{}, ErrExpired
	}
	for i := range b.certificates {
		if expired(b.certificates[i].Expires, now) {
			return syncproto.Identity{}, ErrExpired
		}
	}
	issuer, email, err := v.principal(b)
	if err != nil {
		return syncproto.Identity{}, err
	}
	if err := v.signatures(ctx, b); err != nil {
		return syncproto.Identity{}, err
	}
	return syncproto.Identity{
		Email:   email,
		Issuer:  issuer,
		Expires: milliseconds(*b.assertion.Expires),
	}, nil
}

// principal returns the issuer and the address, once the one may vouch for the
// other. A certificate that signs another must be a host's, or the holder of an
// address could certify any other.
func (v *Verifier) principal(b *bundle) (issuer, email string, err error) {
	last := len(b.certificates) - 1
	for i, c := range b.certificates[:last] {
		if c.Principal.Email != "" || c.Principal.Host == "" || c.Principal.Host != b.certificates[i+1].Issuer {
			return "", "", ErrIssuer
		}
	}
	issuer, email = b.certificates[0].Issuer, b.certificates[last].Principal.Email
	domain, err := domainOf(email)
	if err != nil {
		return "", "", err
	}
	if domain != issuer && !slices.Contains(v.Trusted, issuer) {
		return "", "", ErrIssuer
	}
	return issuer, email, nil
}

func (v *Verifier) signatures(ctx context.Context, b *bundle) error {
	if v.Keys == nil {
		return ErrIssuer
	}
	key, err := v.Keys(ctx, b.certificates[0].Issuer)
	switch {
	case errors.Is(err, syncproto.ErrBadAssertion):
		return err
	case err != nil:
		return fmt.Errorf("browserid: key of the issuer: %w", err)
	case key == nil:
		return ErrIssuer
	}
	for i := range b.certificates {
		if !v.signed(b.certificates[i].token, key) {
			return ErrSignature
		}
		key = b.certificates[i].PublicKey
	}
	if !v.signed(b.assertion.token, key) {
		return ErrSignature
	}
	return nil
}

func (v *Verifier) signed(t token, key *Key) bool {
	return (t.algorithm != "RS64" || v.AllowRS64) && key.verify(t)
}

// domainOf returns what follows the @ of an address that can name an account:
// printable, with one @, and no longer than a user may be.
func domainOf(email string) (string, error) {
	local, domain, ok := strings.Cut(email, "@")
	unprintable := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") || len(email) > syncproto.MaxUser ||
		!utf8.ValidString(email) || strings.ContainsFunc(email, unprintable) {
		return "", fmt.Errorf("%w: not an e-mail address", ErrMalformed)
	}
	return domain, nil
}

// expired compares in milliseconds, as numbers: claims can be larger than any
// time.Time.
func expired(exp *float64, now time.Time) bool {
	return *exp < float64(now.UnixMilli())
}

// milliseconds returns the time of a claim; far ones become the year 9999, the
// last that JSON and HTTP can write.
func milliseconds(exp float64) time.Time {
	const year9999 = 253402300799e3
	return time.UnixMilli(int64(min(exp, year9999)))
}
