package browserid

import (
	"context"
	"crypto/dsa" //lint:ignore SA1019 see key.go
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"time"
)

// TestAssertion describes an assertion in the dummy format of PyVEP. TEST ONLY:
// its keys are computed from the names of their owners, x = SHA1(name) in the
// DS128 group, so anyone can write one for any address. Only [Development]
// accepts them. The same description always gives the same text.
type TestAssertion struct {
	Email    string
	Audience string

	// Issuer is the host that vouches for Email. "" is "browserid.org", which
	// Development trusts for every address.
	Issuer string

	// Expires is cut to milliseconds. Zero is a minute from now.
	Expires time.Time

	// OldStyle selects the older encoding, base64url of JSON.
	OldStyle bool
}

// String returns the assertion.
func (a TestAssertion) String() string {
	if a.Issuer == "" {
		a.Issuer = "browserid.org"
	}
	if a.Expires.IsZero() {
		a.Expires = time.Now().Add(time.Minute)
	}
	exp := a.Expires.UnixMilli()
	certificate := signedBy(a.Issuer, map[string]any{
		"iss":        a.Issuer,
		"exp":        exp,
		"principal":  map[string]string{"email": a.Email},
		"public-key": &Key{dsa: &testKey(a.Email).PublicKey},
	})
	statement := signedBy(a.Email, map[string]any{"exp": exp, "aud": a.Audience})
	if a.OldStyle {
		return encodeJSON(map[string]any{
			"certificates": []string{certificate},
			"assertion":    statement,
		})
	}
	return certificate + "~" + statement
}

// testKeys knows the key of every name there could be.
func testKeys(_ context.Context, name string) (*Key, error) {
	return &Key{dsa: &testKey(name).PublicKey}, nil
}

func testKey(name string) *dsa.PrivateKey {
	sum := sha1.Sum([]byte(name))
	key := &dsa.PrivateKey{X: new(big.Int).SetBytes(sum[:])}
	key.Parameters = group160()
	key.Y = new(big.Int).Exp(key.G, key.X, key.P)
	return key
}

// signedBy returns the claims as a token signed with the name's test key.
func signedBy(name string, claims any) string {
	signed := encodeJSON(map[string]string{"alg": "DS128"}) + "." + encodeJSON(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(signTest(name, signed))
}

// signTest is FIPS 186-3, 4.6, with k taken from the key and the digest instead
// of from a random source: there is nothing to protect, and tests want the same
// text every time.
func signTest(name, signed string) []byte {
	key := testKey(name)
	digest := sha1.Sum([]byte(signed))

	one := big.NewInt(1)
	seed := sha512.Sum512(append(key.X.Bytes(), digest[:]...))
	k := new(big.Int).SetBytes(seed[:])
	k.Mod(k, new(big.Int).Sub(key.Q, one)).Add(k, one)
	r := new(big.Int).Exp(key.G, k, key.P)
	r.Mod(r, key.Q)
	s := new(big.Int).Mul(key.X, r)
	s.Add(s, new(big.Int).SetBytes(digest[:]))
	s.Mul(s, new(big.Int).ModInverse(k, key.Q)).Mod(s, key.Q)

	signature := make([]byte, 40)
	r.FillBytes(signature[:20])
	s.FillBytes(signature[20:])
	return signature
}

func encodeJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings, numbers and test keys always marshal
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
