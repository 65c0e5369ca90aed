package browserid

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

const (
	// maxBundle is ten times what the largest bundles in use take.
	maxBundle = 32 << 10
	// maxChain bounds the signatures one log-in can make the server check.
	maxChain = 5
)

// bundle is a backed identity assertion, parsed and not yet verified.
type bundle struct {
	certificates []certificate // the issuer's first, the user's last
	assertion    assertion
}

// certificate says that PublicKey belongs to Principal.
type certificate struct {
	token
	Issuer    string   `json:"iss"`
	Expires   *float64 `json:"exp"` // milliseconds since the epoch
	PublicKey *Key     `json:"public-key"`
	Principal struct {
		Email string `json:"email"`
		Host  string `json:"host"`
	} `json:"principal"`
}

// assertion says that the holder of the last certificate's key wants to enter
// Audience.
type assertion struct {
	token
	Audience string   `json:"aud"`
	Expires  *float64 `json:"exp"` // milliseconds since the epoch
}

// token is what a signature needs: the text that was signed, byte for byte, so
// that spacing and the order of keys in the JSON do not matter.
type token struct {
	algorithm string
	signed    string
	signature []byte
}

func parseBundle(text string) (*bundle, error) {
	if len(text) > maxBundle {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrMalformed, len(text), maxBundle)
	}
	parts, err := unbundle(text)
	if err != nil {
		return nil, err
	}
	last := len(parts) - 1
	if last < 1 || last > maxChain {
		return nil, fmt.Errorf("%w: %d certificates, want 1 to %d", ErrMalformed, last, maxChain)
	}
	b := &bundle{certificates: make([]certificate, last)}
	for i, part := range parts[:last] {
		c := &b.certificates[i]
		if c.token, err = parseToken(part, c); err != nil {
			return nil, fmt.Errorf("%w (certificate %d)", err, i+1)
		}
		if c.Issuer == "" || c.Expires == nil || c.PublicKey == nil {
			return nil, fmt.Errorf("%w: certificate %d needs iss, exp and public-key", ErrMalformed, i+1)
		}
	}
	if b.assertion.token, err = parseToken(parts[last], &b.assertion); err != nil {
		return nil, err
	}
	if b.assertion.Expires == nil {
		return nil, fmt.Errorf("%w: no exp", ErrMalformed)
	}
	return b, nil
}

// unbundle returns the certificates and, last, the assertion. The older
// encoding is base64url and so never contains "~".
func unbundle(text string) ([]string, error) {
	if strings.Contains(text, "~") {
		return strings.Split(text, "~"), nil
	}
	var older struct {
		Certificates []string `json:"certificates"`
		Assertion    string   `json:"assertion"`
	}
	if err := decodeJSON(text, &older); err != nil {
		return nil, err
	}
	return append(older.Certificates, older.Assertion), nil
}

// parseToken splits header.payload.signature and decodes the payload.
func parseToken(text string, payload any) (token, error) {
	signed, signature, ok := cutLast(text, '.')
	head, body, ok2 := strings.Cut(signed, ".")
	if !ok || !ok2 || strings.Contains(body, ".") {
		return token{}, fmt.Errorf("%w: want three parts", ErrMalformed)
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if err := decodeJSON(head, &header); err != nil {
		return token{}, err
	}
	if err := decodeJSON(body, payload); err != nil {
		return token{}, err
	}
	sig, err := decode(signature)
	if err != nil {
		return token{}, err
	}
	return token{header.Algorithm, signed, sig}, nil
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func decodeJSON(text string, v any) error {
	raw, err := decode(text)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%w: not the JSON expected", ErrMalformed)
	}
	return nil
}

// decode reads base64url, with padding or without: PyVEP took both.
func decode(text string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url", ErrMalformed)
	}
	return raw, nil
}
