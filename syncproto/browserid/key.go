package browserid

import (
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 DS128 is what BrowserID clients sign with; there is nothing newer to verify
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// Key is the public key of an issuer or of an e-mail address.
//
// It is read from the JSON of a certificate's "public-key", which is also that
// of an issuer's /.well-known/browserid document:
//
//	{"algorithm": "RS", "n": "<decimal>", "e": "<decimal>"}
//	{"algorithm": "DS", "p": "<hex>", "q": "<hex>", "g": "<hex>", "y": "<hex>"}
//
// The zero Key verifies nothing. A Key that has been read is safe for
// concurrent use.
type Key struct {
	rsa *rsa.PublicKey
	dsa *dsa.PublicKey
}

// keyJSON is the form of a key on the wire: numbers are strings, decimal in RSA
// keys and hexadecimal in DSA keys.
type keyJSON struct {
	Algorithm string `json:"algorithm"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	P         string `json:"p,omitempty"`
	Q         string `json:"q,omitempty"`
	G         string `json:"g,omitempty"`
	Y         string `json:"y,omitempty"`
}

// UnmarshalJSON reads a key. It refuses keys that no BrowserID algorithm can
// have: RSA moduli of other sizes than 512, 1024 and 2048 bits, and DSA groups
// other than the two that BrowserID names.
func (k *Key) UnmarshalJSON(text []byte) error {
	var j keyJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return fmt.Errorf("browserid: key: %w", err)
	}
	switch j.Algorithm {
	case "RS":
		n, e := number(j.N, 10), number(j.E, 10)
		if n == nil || e == nil {
			return errors.New("browserid: key: RS needs n and e, decimal")
		}
		if bits := n.BitLen(); bits != 512 && bits != 1024 && bits != 2048 {
			return fmt.Errorf("browserid: key: modulus of %d bits, want 512, 1024 or 2048", bits)
		}
		if e.BitLen() > 31 || e.Int64() < 3 || e.Bit(0) == 0 {
			return errors.New("browserid: key: e must be odd, at least 3 and under 2^31")
		}
		*k = Key{rsa: &rsa.PublicKey{N: n, E: int(e.Int64())}}
	case "DS":
		p, q, g, y := number(j.P, 16), number(j.Q, 16), number(j.G, 16), number(j.Y, 16)
		if p == nil || q == nil || g == nil || y == nil {
			return errors.New("browserid: key: DS needs p, q, g and y, hexadecimal")
		}
		group := dsa.Parameters{P: p, Q: q, G: g}
		if !sameGroup(group, group160()) && !sameGroup(group, group256()) {
			return errors.New("browserid: key: not a DSA group of BrowserID")
		}
		if one := big.NewInt(1); y.Cmp(one) <= 0 || y.Cmp(p) >= 0 {
			return errors.New("browserid: key: y must be between 1 and p")
		}
		*k = Key{dsa: &dsa.PublicKey{Parameters: group, Y: y}}
	default:
		return fmt.Errorf("browserid: key: algorithm %.20q, want RS or DS", j.Algorithm)
	}
	return nil
}

// MarshalJSON writes the key in the form that UnmarshalJSON reads.
func (k *Key) MarshalJSON() ([]byte, error) {
	switch {
	case k.rsa != nil:
		return json.Marshal(keyJSON{Algorithm: "RS", N: k.rsa.N.String(), E: fmt.Sprint(k.rsa.E)})
	case k.dsa != nil:
		return json.Marshal(keyJSON{
			Algorithm: "DS",
			P:         k.dsa.P.Text(16),
			Q:         k.dsa.Q.Text(16),
			G:         k.dsa.G.Text(16),
			Y:         k.dsa.Y.Text(16),
		})
	}
	return nil, errors.New("browserid: key: empty")
}

// number parses digits; nil when they are missing or more than a 2048-bit
// number has.
func number(digits string, base int) *big.Int {
	if digits == "" || len(digits) > 700 {
		return nil
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok || n.Sign() < 0 {
		return nil
	}
	return n
}

// verify reports whether the token was signed with the key. The algorithm named
// in the token must be the key's own, family and size.
func (k *Key) verify(t token) bool {
	switch {
	case k.rsa != nil:
		sum := sha256.Sum256([]byte(t.signed))
		bits := k.rsa.N.BitLen()
		switch {
		case t.algorithm == "RS64" && bits == 512:
			return verifyRS64(k.rsa, sum, t.signature)
		case t.algorithm == "RS128" && bits == 1024, t.algorithm == "RS256" && bits == 2048:
			return rsa.VerifyPKCS1v15(k.rsa, crypto.SHA256, sum[:], t.signature) == nil
		}
	case k.dsa != nil:
		bits := k.dsa.Q.BitLen()
		switch {
		case t.algorithm == "DS128" && bits == 160:
			sum := sha1.Sum([]byte(t.signed))
			return verifyDS(k.dsa, sum[:], t.signature)
		case t.algorithm == "DS256" && bits == 256:
			sum := sha256.Sum256([]byte(t.signed))
			return verifyDS(k.dsa, sum[:], t.signature)
		}
	}
	return false
}

// verifyDS reads the signature as r and s, each as long as the digest. Encoders
// that drop leading zeros are forgiven, as they were by the original.
func verifyDS(key *dsa.PublicKey, digest, signature []byte) bool {
	size := len(digest)
	if len(signature) > 2*size {
		return false
	}
	padded := make([]byte, 2*size)
	copy(padded[len(padded)-len(signature):], signature)
	r := new(big.Int).SetBytes(padded[:size])
	s := new(big.Int).SetBytes(padded[size:])
	return dsa.Verify(key, digest, r, s)
}

// sha256Prefix is the DER of DigestInfo{SHA-256} before the digest (RFC 8017,
// section 9.2, note 1).
const sha256Prefix = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"

// verifyRS64 is RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.2) for 512-bit keys,
// which crypto/rsa refuses for being weak. The expected encoding is built whole
// and compared, so nothing in the signature is parsed.
func verifyRS64(key *rsa.PublicKey, digest [32]byte, signature []byte) bool {
	const size = 512 / 8
	s := new(big.Int).SetBytes(signature)
	if len(signature) != size || s.Cmp(key.N) >= 0 {
		return false
	}
	got := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))

	want := make([]byte, 0, size)
	want = append(want, 0, 1)
	for len(want) < size-1-len(sha256Prefix)-len(digest) {
		want = append(want, 0xff)
	}
	want = append(want, 0)
	want = append(want, sha256Prefix...)
	want = append(want, digest[:]...)
	return string(got) == string(want)
}
