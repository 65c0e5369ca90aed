package browserid

import (
	"context"
	"crypto"
	"crypto/dsa" //lint:ignore SA1019 see key.go
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

const audience = "https://sync.example.com"

// signer is a party of a bundle: a public key and what signs with it.
type signer struct {
	algorithm string
	key       *Key
	sign      func(signed string) []byte
}

func (s signer) token(claims map[string]any) string {
	signed := encodeJSON(map[string]string{"alg": s.algorithm}) + "." + encodeJSON(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(s.sign(signed))
}

func rsaSigner(t *testing.T, algorithm string, bits int) signer {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return signer{algorithm, &Key{rsa: &private.PublicKey}, func(signed string) []byte {
		sum := sha256.Sum256([]byte(signed))
		sig, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}}
}

// rs64Signer has a fixed key: the standard library makes none this small.
func rs64Signer() signer {
	n := number("10334326577926975872735448287852736164383195255780100142744694519144956334096858192650566544148334243416615894718139981125390235979326517373945791932043941", 10)
	d := number("2597734044047927133183450189878785656530643127450468739056961678264095253794166279206994978937388615640924587865228403646862983397614005345519414404199737", 10)
	return signer{"RS64", &Key{rsa: &rsa.PublicKey{N: n, E: 65537}}, func(signed string) []byte {
		sum := sha256.Sum256([]byte(signed))
		em := "\x00\x01" + strings.Repeat("\xff", 64-3-len(sha256Prefix)-32) + "\x00" + sha256Prefix + string(sum[:])
		m := new(big.Int).SetBytes([]byte(em))
		return m.Exp(m, d, n).FillBytes(make([]byte, 64))
	}}
}

func ds256Signer(t *testing.T) signer {
	private := &dsa.PrivateKey{}
	private.Parameters = group256()
	if err := dsa.GenerateKey(private, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return signer{"DS256", &Key{dsa: &private.PublicKey}, func(signed string) []byte {
		sum := sha256.Sum256([]byte(signed))
		r, s, err := dsa.Sign(rand.Reader, private, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}}
}

func ds128Signer(name string) signer {
	return signer{"DS128", &Key{dsa: &testKey(name).PublicKey}, func(signed string) []byte {
		return signTest(name, signed)
	}}
}

func certificateFor(email string, key *Key, issuer string) map[string]any {
	return map[string]any{
		"iss":        issuer,
		"exp":        time.Now().Add(time.Hour).UnixMilli(),
		"principal":  map[string]string{"email": email},
		"public-key": key,
	}
}

func statement() map[string]any {
	return map[string]any{"aud": audience, "exp": time.Now().Add(time.Minute).UnixMilli()}
}

func keys(known map[string]*Key) func(context.Context, string) (*Key, error) {
	return func(_ context.Context, issuer string) (*Key, error) {
		if known[issuer] == nil {
			return nil, ErrIssuer
		}
		return known[issuer], nil
	}
}

func TestAlgorithms(t *testing.T) {
	for _, s := range []signer{
		rs64Signer(),
		rsaSigner(t, "RS128", 1024),
		rsaSigner(t, "RS256", 2048),
		ds128Signer("anybody"),
		ds256Signer(t),
	} {
		t.Run(s.algorithm, func(t *testing.T) {
			user := ds128Signer("alice@example.com")
			bundle := s.token(certificateFor("alice@example.com", user.key, "example.com")) +
				"~" + user.token(statement())
			v := &Verifier{Keys: keys(map[string]*Key{"example.com": s.key}), AllowRS64: true}
			id, err := v.Verify(t.Context(), bundle, audience)
			if err != nil || id.Email != "alice@example.com" || id.Issuer != "example.com" {
				t.Fatalf("Verify = %+v, %v", id, err)
			}

			// The same signer as the user, and its key on the wire.
			bundle = user.token(certificateFor("alice@example.com", s.key, "example.com")) +
				"~" + s.token(statement())
			v.Keys = keys(map[string]*Key{"example.com": user.key})
			if _, err := v.Verify(t.Context(), bundle, audience); err != nil {
				t.Fatal(err)
			}

			// Every algorithm's signature covers every byte before it.
			i := strings.LastIndexByte(bundle, '~')
			tampered := bundle[:i+1] + s.token(map[string]any{"aud": audience, "exp": 9e15})
			tampered = tampered[:strings.LastIndexByte(tampered, '.')] + bundle[strings.LastIndexByte(bundle, '.'):]
			if _, err := v.Verify(t.Context(), tampered, audience); !errors.Is(err, ErrSignature) {
				t.Errorf("statement changed under its signature: %v, want %v", err, ErrSignature)
			}
			// Naming another algorithm must not help.
			for _, other := range []string{"RS64", "RS128", "RS256", "DS128", "DS256", "none", ""} {
				if other == s.algorithm {
					continue
				}
				renamed := signer{other, s.key, s.sign}
				bundle := user.token(certificateFor("alice@example.com", s.key, "example.com")) +
					"~" + renamed.token(statement())
				if _, err := v.Verify(t.Context(), bundle, audience); !errors.Is(err, ErrSignature) {
					t.Errorf("signed with %s, header says %q: %v, want %v", s.algorithm, other, err, ErrSignature)
				}
			}
		})
	}
}

func TestRS64NeedsPermission(t *testing.T) {
	s, user := rs64Signer(), ds128Signer("alice@example.com")
	bundle := s.token(certificateFor("alice@example.com", user.key, "example.com")) + "~" + user.token(statement())
	v := &Verifier{Keys: keys(map[string]*Key{"example.com": s.key})}
	if _, err := v.Verify(t.Context(), bundle, audience); !errors.Is(err, ErrSignature) {
		t.Errorf("got %v, want %v", err, ErrSignature)
	}
}

// TestMockMyID verifies an assertion that a browser made with the public test
// identity provider mockmyid.com on 2016-11-21. The bubble's clock stands at
// the year 2000, when it had not expired.
func TestMockMyID(t *testing.T) {
	published := `{"algorithm":"DS",
		"y":"738ec929b559b604a232a9b55a5295afc368063bb9c20fac4e53a74970a4db7956d48e4c7ed523405f629b4cc83062f13029c4d615bbacb8b97f5e56f0c7ac9bc1d4e23809889fa061425c984061fca1826040c399715ce7ed385c4dd0d402256912451e03452d3c961614eb458f188e3e8d2782916c43dbe2e571251ce38262",
		"p":"ff600483db6abfc5b45eab78594b3533d550d9f1bf2a992a7a8daa6dc34f8045ad4e6e0c429d334eeeaaefd7e23d4810be00e4cc1492cba325ba81ff2d5a5b305a8d17eb3bf4a06a349d392e00d329744a5179380344e82a18c47933438f891e22aeef812d69c8f75e326cb70ea000c3f776dfdbd604638c2ef717fc26d02e17",
		"q":"e21e04f911d1ed7991008ecaab3bf775984309c3",
		"g":"c52a4a0ff3b7e61fdf1867ce84138369a6154f4afa92966e3c827e25cfa6cf508b90e5de419e1337e07a2e9e2a3cd5dea704d175f8ebf6af397d69e110b96afb17c7a03259329e4829b0d03bbc7896b15b4ade53e130858cc34d96269aa89041f409136c7242a38895c9d5bccad4f389af1d7a4bd1398bd072dffa896233397a"}`
	assertion := "eyJhbGciOiJEUzEyOCJ9.eyJwdWJsaWMta2V5Ijp7ImFsZ29yaXRobSI6IkRTIiwieSI6IjkwNjkxYzQ4OWExZmRmNmQzZGFiMDg2NjdiNDFiZDdjMGIxYTc4Y2IyMTZlNjllMWIyMTlkZGFjN2VhZGRjMmRhZTg5NGVlOTU2N2EzNWY3NTA2NTQ5ZDYzNzhmMDliMTBlYjU0ZDIxYjk2Y2I2ZDlhNWEyYWYwZmNmM2EwZDhhZGMxZDhlMTgyNjEyNzg1NjJlM2U5Zjg4YmIzYWEwZDNiODQ2MWI2OTQ1NDBmZmI1MTgyZDUyNzliMmVjM2U0OTlhODI4MTJhMDU0YzUyYjg3ZWVlNDk5OTcwNDMwYTE2ZWJjNDg3OGFiMjBjMTY0NjhjZmU5NzMyZTRkY2Q3ZTkiLCJwIjoiZmY2MDA0ODNkYjZhYmZjNWI0NWVhYjc4NTk0YjM1MzNkNTUwZDlmMWJmMmE5OTJhN2E4ZGFhNmRjMzRmODA0NWFkNGU2ZTBjNDI5ZDMzNGVlZWFhZWZkN2UyM2Q0ODEwYmUwMGU0Y2MxNDkyY2JhMzI1YmE4MWZmMmQ1YTViMzA1YThkMTdlYjNiZjRhMDZhMzQ5ZDM5MmUwMGQzMjk3NDRhNTE3OTM4MDM0NGU4MmExOGM0NzkzMzQzOGY4OTFlMjJhZWVmODEyZDY5YzhmNzVlMzI2Y2I3MGVhMDAwYzNmNzc2ZGZkYmQ2MDQ2MzhjMmVmNzE3ZmMyNmQwMmUxNyIsInEiOiJlMjFlMDRmOTExZDFlZDc5OTEwMDhlY2FhYjNiZjc3NTk4NDMwOWMzIiwiZyI6ImM1MmE0YTBmZjNiN2U2MWZkZjE4NjdjZTg0MTM4MzY5YTYxNTRmNGFmYTkyOTY2ZTNjODI3ZTI1Y2ZhNmNmNTA4YjkwZTVkZTQxOWUxMzM3ZTA3YTJlOWUyYTNjZDVkZWE3MDRkMTc1ZjhlYmY2YWYzOTdkNjllMTEwYjk2YWZiMTdjN2EwMzI1OTMyOWU0ODI5YjBkMDNiYmM3ODk2YjE1YjRhZGU1M2UxMzA4NThjYzM0ZDk2MjY5YWE4OTA0MWY0MDkxMzZjNzI0MmEzODg5NWM5ZDViY2NhZDRmMzg5YWYxZDdhNGJkMTM5OGJkMDcyZGZmYTg5NjIzMzM5N2EifSwicHJpbmNpcGFsIjp7ImVtYWlsIjoiam9obkBtb2NrbXlpZC5jb20ifSwiaWF0IjoxNDc5NzQ3MzM5NjQ1LCJleHAiOjE0Nzk3NTA5Mzk2NDUsImlzcyI6Im1vY2tteWlkLmNvbSJ9.GsDGShd5DYKPIgs05ms3rayPXLENeeW7s8ZMATLxFD4OLuXw4SdIbw~eyJhbGciOiJEUzEyOCJ9.eyJleHAiOjE0Nzk3NDc1Nzk4NjYsImF1ZCI6Imh0dHA6Ly9sb2NhbGhvc3Q6ODA4MCJ9.UJPsaJqmM-WrRbSj_BhW_Jy4sm1NcC3GOYURbJ6DNAsMZCsSzLwnzg"
	synctest.Test(t, func(t *testing.T) {
		key := new(Key)
		if err := json.Unmarshal([]byte(published), key); err != nil {
			t.Fatal(err)
		}
		v := &Verifier{Keys: keys(map[string]*Key{"mockmyid.com": key})}
		id, err := v.Verify(t.Context(), assertion, "http://localhost:8080")
		want := syncproto.Identity{Email: "john@mockmyid.com", Issuer: "mockmyid.com", Expires: time.UnixMilli(1479747579866)}
		if err != nil || id.Email != want.Email || id.Issuer != want.Issuer || !id.Expires.Equal(want.Expires) {
			t.Fatalf("Verify = %+v, %v; want %+v", id, err, want)
		}
		if _, err := v.Verify(t.Context(), assertion, "http://localhost:8080/"); !errors.Is(err, ErrAudience) {
			t.Errorf("another audience: %v, want %v", err, ErrAudience)
		}
		// The last millisecond is still good, the next is not.
		time.Sleep(time.Until(want.Expires))
		if _, err := v.Verify(t.Context(), assertion, "http://localhost:8080"); err != nil {
			t.Errorf("at exp: %v", err)
		}
		time.Sleep(time.Millisecond)
		if _, err := v.Verify(t.Context(), assertion, "http://localhost:8080"); !errors.Is(err, ErrExpired) {
			t.Errorf("after exp: %v, want %v", err, ErrExpired)
		}
	})
}

// TestChains: a host may delegate, a person may not.
func TestChains(t *testing.T) {
	root, host, alice, bob := ds128Signer("example.com"), ds128Signer("login.example.com"),
		ds128Signer("alice@example.com"), ds128Signer("bob@example.com")
	v := &Verifier{Keys: keys(map[string]*Key{"example.com": root.key})}
	delegate := func(principal map[string]string) string {
		c := certificateFor("", host.key, "example.com")
		c["principal"] = principal
		return root.token(c)
	}
	for _, c := range []struct {
		name   string
		bundle string
		want   error
	}{
		{"host delegates",
			delegate(map[string]string{"host": "login.example.com"}) +
				"~" + host.token(certificateFor("alice@example.com", alice.key, "login.example.com")) +
				"~" + alice.token(statement()), nil},
		{"person delegates",
			root.token(certificateFor("bob@example.com", bob.key, "example.com")) +
				"~" + bob.token(certificateFor("alice@example.com", alice.key, "example.com")) +
				"~" + alice.token(statement()), ErrIssuer},
		{"host and person at once",
			delegate(map[string]string{"host": "login.example.com", "email": "bob@example.com"}) +
				"~" + host.token(certificateFor("alice@example.com", alice.key, "login.example.com")) +
				"~" + alice.token(statement()), ErrIssuer},
		{"delegate signs as another host",
			delegate(map[string]string{"host": "login.example.com"}) +
				"~" + host.token(certificateFor("alice@example.com", alice.key, "example.com")) +
				"~" + alice.token(statement()), ErrIssuer},
		{"delegate's certificate signed by another",
			delegate(map[string]string{"host": "login.example.com"}) +
				"~" + bob.token(certificateFor("alice@example.com", alice.key, "login.example.com")) +
				"~" + alice.token(statement()), ErrSignature},
		{"delegate for another domain",
			delegate(map[string]string{"host": "login.example.com"}) +
				"~" + host.token(certificateFor("alice@example.org", alice.key, "login.example.com")) +
				"~" + alice.token(statement()), ErrIssuer},
		{"signed by the wrong person",
			root.token(certificateFor("alice@example.com", alice.key, "example.com")) +
				"~" + bob.token(statement()), ErrSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), c.bundle, audience)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// TestIssuers: who may vouch for whom.
func TestIssuers(t *testing.T) {
	for _, c := range []struct {
		name, email, issuer string
		trusted             []string
		want                error
	}{
		{"own domain", "a@example.com", "example.com", nil, nil},
		{"listed", "a@example.com", "idp.example.org", []string{"idp.example.org"}, nil},
		{"not listed", "a@example.com", "idp.example.org", []string{"example.org"}, ErrIssuer},
		{"parent domain", "a@mail.example.com", "example.com", nil, ErrIssuer},
		{"suffix", "a@notexample.com", "example.com", nil, ErrIssuer},
		{"no key", "a@unknown.example", "unknown.example", nil, ErrIssuer},
		{"two @", "a@b@example.com", "example.com", nil, ErrMalformed},
		{"no @", "example.com", "example.com", []string{"example.com"}, ErrMalformed},
		{"no name", "@example.com", "example.com", nil, ErrMalformed},
		{"newline", "a\n@example.com", "example.com", nil, ErrMalformed},
		{"space", "a b@example.com", "example.com", nil, ErrMalformed},
		{"too long", strings.Repeat("a", 250) + "@example.com", "example.com", nil, ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &Verifier{Trusted: c.trusted, Keys: func(ctx context.Context, issuer string) (*Key, error) {
				if issuer == "unknown.example" {
					return nil, ErrIssuer
				}
				return testKeys(ctx, issuer)
			}}
			a := TestAssertion{Email: c.email, Audience: audience, Issuer: c.issuer}
			_, err := v.Verify(t.Context(), a.String(), audience)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if err != nil && !errors.Is(err, syncproto.ErrBadAssertion) {
				t.Errorf("%v is not a bad assertion: the server would answer 503", err)
			}
		})
	}
}

// TestBackend: an issuer's key that cannot be had is not the client's fault.
func TestBackend(t *testing.T) {
	down := errors.New("key server down")
	v := &Verifier{Keys: func(context.Context, string) (*Key, error) { return nil, down }}
	a := TestAssertion{Email: "a@example.com", Audience: audience, Issuer: "example.com"}
	_, err := v.Verify(t.Context(), a.String(), audience)
	if !errors.Is(err, down) || errors.Is(err, syncproto.ErrBadAssertion) {
		t.Errorf("got %v, want the backend's error and nothing else", err)
	}
	v.Keys = func(context.Context, string) (*Key, error) { return nil, nil }
	if _, err := v.Verify(t.Context(), a.String(), audience); !errors.Is(err, ErrIssuer) {
		t.Errorf("no key and no error: %v, want %v", err, ErrIssuer)
	}
	v.Keys = func(context.Context, string) (*Key, error) { return new(Key), nil }
	if _, err := v.Verify(t.Context(), a.String(), audience); !errors.Is(err, ErrSignature) {
		t.Errorf("zero key: %v, want %v", err, ErrSignature)
	}
	if _, err := new(Verifier).Verify(t.Context(), a.String(), audience); !errors.Is(err, ErrIssuer) {
		t.Errorf("zero Verifier: %v, want %v", err, ErrIssuer)
	}
}
