package browserid

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
)

// TestGroups checks that the constants are DSA groups: p and q prime, q a
// divisor of p-1, g of order q.
func TestGroups(t *testing.T) {
	for _, c := range []struct{ l, n int }{{1024, 160}, {2048, 256}} {
		group := group160()
		if c.n == 256 {
			group = group256()
		}
		one := big.NewInt(1)
		if group.P.BitLen() != c.l || group.Q.BitLen() != c.n {
			t.Errorf("%d/%d: sizes are %d/%d", c.l, c.n, group.P.BitLen(), group.Q.BitLen())
		}
		if !group.P.ProbablyPrime(20) || !group.Q.ProbablyPrime(20) {
			t.Errorf("%d/%d: not prime", c.l, c.n)
		}
		if new(big.Int).Mod(new(big.Int).Sub(group.P, one), group.Q).Sign() != 0 {
			t.Errorf("%d/%d: q does not divide p-1", c.l, c.n)
		}
		if group.G.Cmp(one) <= 0 || new(big.Int).Exp(group.G, group.Q, group.P).Cmp(one) != 0 {
			t.Errorf("%d/%d: g is not of order q", c.l, c.n)
		}
	}
}

func TestKeyJSON(t *testing.T) {
	for _, s := range []signer{rs64Signer(), rsaSigner(t, "RS256", 2048), ds128Signer("a"), ds256Signer(t)} {
		text, err := json.Marshal(s.key)
		if err != nil {
			t.Fatal(err)
		}
		again := new(Key)
		if err := json.Unmarshal(text, again); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got, _ := json.Marshal(again); string(got) != string(text) {
			t.Errorf("came back as %s, was %s", got, text)
		}
		tok := token{s.algorithm, "text", s.sign("text")}
		if !again.verify(tok) {
			t.Errorf("%s: the key no longer verifies", s.algorithm)
		}
	}
	if _, err := json.Marshal(new(Key)); err == nil {
		t.Error("the zero Key was written")
	}
}

func TestKeyRefused(t *testing.T) {
	group := func(p, q, g, y string) string {
		return `{"algorithm":"DS","p":"` + p + `","q":"` + q + `","g":"` + g + `","y":"` + y + `"}`
	}
	a := group160()
	p, q, g := a.P.Text(16), a.Q.Text(16), a.G.Text(16)
	modulus := rs64Signer().key.rsa.N.String()
	for name, text := range map[string]string{
		"nothing":              `{}`,
		"not an object":        `7`,
		"other algorithm":      `{"algorithm":"ES","n":"3","e":"3"}`,
		"RS without e":         `{"algorithm":"RS","n":"` + modulus + `"}`,
		"RS of 8 bits":         `{"algorithm":"RS","n":"255","e":"3"}`,
		"RS of 3000 digits":    `{"algorithm":"RS","n":"` + strings.Repeat("9", 3000) + `","e":"3"}`,
		"RS with e = 1":        `{"algorithm":"RS","n":"` + modulus + `","e":"1"}`,
		"RS with even e":       `{"algorithm":"RS","n":"` + modulus + `","e":"4"}`,
		"RS with huge e":       `{"algorithm":"RS","n":"` + modulus + `","e":"` + modulus + `"}`,
		"RS with negative n":   `{"algorithm":"RS","n":"-` + modulus + `","e":"3"}`,
		"DS with g of order 1": group(p, q, "1", "2"),
		"DS in a small group":  group("17", "b", "2", "4"),
		"DS with y = 1":        group(p, q, g, "1"),
		"DS with y = p":        group(p, q, g, p),
		"DS without q":         group(p, "", g, "2"),
	} {
		if err := json.Unmarshal([]byte(text), new(Key)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzKey: what is read as a key can be written and read again.
func FuzzKey(f *testing.F) {
	for _, k := range []*Key{rs64Signer().key, ds128Signer("a").key} {
		text, err := json.Marshal(k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"algorithm":"RS","n":"0x9","e":"+3"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k := new(Key)
		if json.Unmarshal(text, k) != nil {
			return
		}
		again, err := json.Marshal(k)
		if err == nil {
			err = json.Unmarshal(again, new(Key))
		}
		if err != nil {
			t.Errorf("%s was read, and written as %s: %v", text, again, err)
		}
		k.verify(token{algorithm: "DS128", signed: "a.b", signature: text})
		k.verify(token{algorithm: "RS64", signed: "a.b", signature: text})
	})
}
