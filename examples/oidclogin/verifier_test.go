package oidclogin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/examples/oidclogin"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/syncproto"
)

func TestMain(m *testing.M) { leak.Main(m) }

const (
	issuerURL = "http://issuer.example"
	client    = "our-client"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// key is one of an issuer's keys.
type key struct {
	id      string
	private *ecdsa.PrivateKey
}

func newKey(t *testing.T, id string) key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key{id, k}
}

func (k key) jwk() map[string]string {
	b, err := k.private.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.id, "x": b64(b[1:33]), "y": b64(b[33:])}
}

func (k key) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	head, _ := json.Marshal(map[string]string{"alg": "ES256", "typ": "JWT", "kid": k.id})
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed := b64(head) + "." + b64(body)
	hash := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// issuer is one on an in-memory network, whose clock is the test's.
type issuer struct {
	t       *testing.T
	keys    atomic.Pointer[[]key]
	state   atomic.Value // "", "503", "garbage", "hangs", "endless"
	fetched atomic.Int32 // requests for keys
	asked   atomic.Int32 // requests, whatever became of them
	sent    atomic.Int64 // bytes, while endless
	http    *http.Client
	srv     *http.Server
	net     *memnet.Network
}

func start(t *testing.T) *issuer {
	t.Helper()
	is := &issuer{t: t, net: new(memnet.Network)}
	is.state.Store("")
	is.keys.Store(&[]key{newKey(t, "first")})
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{
			"issuer": issuerURL, "jwks_uri": issuerURL + "/keys", "authorization_endpoint": issuerURL + "/login", "token_endpoint": issuerURL + "/token",
			"id_token_signing_alg_values_supported": []string{"ES256", "HS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		is.fetched.Add(1)
		var all []map[string]string
		for _, k := range *is.keys.Load() {
			all = append(all, k.jwk())
		}
		json.NewEncoder(w).Encode(map[string]any{"keys": all})
	})
	is.srv = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		is.asked.Add(1)
		switch is.state.Load() {
		case "503":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "garbage":
			fmt.Fprint(w, "<html>maintenance</html>")
		case "endless":
			for {
				n, err := io.WriteString(w, strings.Repeat(" ", 64<<10))
				if is.sent.Add(int64(n)); err != nil {
					panic(http.ErrAbortHandler)
				}
			}
		case "hangs":
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		default:
			w.Header().Set("Content-Type", "application/json")
			mux.ServeHTTP(w, r)
		}
	})}
	l, err := is.net.Listen("tcp", "issuer.example:80")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: is.net.DialContext}
	is.http = &http.Client{Transport: transport}
	ended := make(chan struct{})
	go func() { defer close(ended); is.srv.Serve(l) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		is.srv.Close()
		is.net.Close()
		<-ended
	})
	return is
}

func (is *issuer) key() key { return (*is.keys.Load())[0] }

func claims(change map[string]any) map[string]any {
	c := map[string]any{
		"iss": issuerURL, "sub": "1", "aud": client, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"email": "ann@example.com", "email_verified": true,
	}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (is *issuer) verifier(c oidclogin.Config) *oidclogin.Verifier {
	is.t.Helper()
	c.Issuer, c.HTTP = issuerURL, is.http
	v, err := oidclogin.New(c)
	if err != nil {
		is.t.Fatal(err)
	}
	return v
}

func TestGoodToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := start(t)
		v := is.verifier(oidclogin.Config{Domains: []string{"example.com"}})
		for _, change := range []map[string]any{
			nil,
			{"email_verified": "true"},
			{"aud": []string{client}},
			{"aud": []string{"another", client}, "azp": client},
			{"email": "Ann@EXAMPLE.com"},
		} {
			id, err := v.Verify(t.Context(), is.key().sign(t, claims(change)), client)
			if err != nil || !strings.EqualFold(id.Email, "ann@example.com") || id.Issuer != issuerURL || time.Until(id.Expires).Round(time.Second) != time.Hour || id.Development {
				t.Errorf("%v: %+v, %v", change, id, err)
			}
		}
		synctest.Wait()
		if n := is.fetched.Load(); n != 1 {
			t.Errorf("the keys were asked for %d times", n)
		}
	})
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := start(t)
		v := is.verifier(oidclogin.Config{Domains: []string{"example.com"}})
		good := is.key().sign(t, claims(nil))
		parts := strings.Split(good, ".")
		hmac := b64([]byte(`{"alg":"HS256","kid":"first"}`))
		none := b64([]byte(`{"alg":"none"}`))
		other := newKey(t, "first") // the right name, and not the key
		for name, c := range map[string]struct {
			token string
			want  error
		}{
			"other audience":     {is.key().sign(t, claims(map[string]any{"aud": "another"})), oidclogin.ErrAudience},
			"no audience":        {is.key().sign(t, claims(map[string]any{"aud": nil})), oidclogin.ErrAudience},
			"issued to another":  {is.key().sign(t, claims(map[string]any{"aud": []string{client, "another"}, "azp": "another"})), oidclogin.ErrAudience},
			"several, no party":  {is.key().sign(t, claims(map[string]any{"aud": []string{client, "another"}})), oidclogin.ErrAudience},
			"expired":            {is.key().sign(t, claims(map[string]any{"exp": time.Now().Add(-time.Second).Unix()})), oidclogin.ErrExpired},
			"never ends":         {is.key().sign(t, claims(map[string]any{"exp": nil})), oidclogin.ErrExpired},
			"not yet":            {is.key().sign(t, claims(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()})), oidclogin.ErrToken},
			"unverified":         {is.key().sign(t, claims(map[string]any{"email_verified": false})), oidclogin.ErrEmail},
			"does not say":       {is.key().sign(t, claims(map[string]any{"email_verified": nil})), oidclogin.ErrEmail},
			"no address":         {is.key().sign(t, claims(map[string]any{"email": nil})), oidclogin.ErrEmail},
			"foreign domain":     {is.key().sign(t, claims(map[string]any{"email": "ann@example.org"})), oidclogin.ErrEmail},
			"two domains":        {is.key().sign(t, claims(map[string]any{"email": "ann@example.org@example.com"})), oidclogin.ErrEmail},
			"other issuer":       {is.key().sign(t, claims(map[string]any{"iss": "http://evil.example"})), oidclogin.ErrToken},
			"unknown key":        {newKey(t, "second").sign(t, claims(nil)), oidclogin.ErrToken},
			"forged":             {other.sign(t, claims(nil)), oidclogin.ErrToken},
			"changed":            {parts[0] + "." + b64([]byte(`{"iss":"x"}`)) + "." + parts[2], oidclogin.ErrToken},
			"signed with a word": {hmac + "." + parts[1] + "." + parts[2], oidclogin.ErrToken},
			"not signed":         {none + "." + parts[1] + ".", oidclogin.ErrToken},
			"not a token":        {"ann@example.com?a=our-client", oidclogin.ErrToken},
			"nothing":            {"", oidclogin.ErrToken},
		} {
			_, err := v.Verify(t.Context(), c.token, client)
			if !errors.Is(err, c.want) || !errors.Is(err, syncproto.ErrBadAssertion) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
	})
}

// An issuer that cannot be asked is no reason to send people away: 503, and
// never 401.
func TestIssuerInTrouble(t *testing.T) {
	for _, trouble := range []string{"503", "garbage", "hangs", "down"} {
		t.Run(trouble, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := start(t)
				v := is.verifier(oidclogin.Config{})
				h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: v, Audiences: []string{client}})
				if err != nil {
					t.Fatal(err)
				}
				login := func(token string, want int) {
					t.Helper()
					form := url.Values{"assertion": {token}, "audience": {client}}
					r := httptest.NewRequestWithContext(t.Context(), "POST", "/verify", strings.NewReader(form.Encode()))
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != want {
						t.Errorf("%d %s, want %d", w.Code, w.Body, want)
					}
					if want == 503 && (w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "issuer")) {
						t.Errorf("%v %s, want when to come back and no word of what is behind", w.Header(), w.Body)
					}
				}
				switch trouble {
				case "down":
					is.net.Partition("localhost", "issuer.example")
				default:
					is.state.Store(trouble)
				}
				login(is.key().sign(t, claims(nil)), 503)

				is.net.Heal("localhost", "issuer.example")
				is.state.Store("")
				login(is.key().sign(t, claims(nil)), 200)
				login("x", 401)

				is.net.Partition("localhost", "issuer.example")
				is.http.CloseIdleConnections()
				login(is.key().sign(t, claims(nil)), 200) // the key is known
				unknown := newKey(t, "unknown").sign(t, claims(nil))
				login(unknown, 503)
				synctest.Wait() // until the set of keys is done with the request that failed
				is.net.Heal("localhost", "issuer.example")
				login(unknown, 401)
			})
		})
	}
}

// A new key is good at once, and one that was taken back no longer is.
func TestKeysChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := start(t)
		v := is.verifier(oidclogin.Config{})
		verify := func(k key) error {
			_, err := v.Verify(t.Context(), k.sign(t, claims(nil)), client)
			synctest.Wait() // a set of keys stores them after it has answered
			return err
		}
		old, next := is.key(), newKey(t, "next")
		if err := verify(old); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		is.keys.Store(&[]key{next, old})
		if err := errors.Join(verify(next), verify(old)); err != nil {
			t.Error(err)
		}
		last := newKey(t, "last")
		is.keys.Store(&[]key{last})
		if err := verify(last); err != nil {
			t.Error(err)
		}
		for _, gone := range []key{old, next} {
			if err := verify(gone); !errors.Is(err, oidclogin.ErrToken) {
				t.Errorf("a key that the issuer took back: %v", err)
			}
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}

// A key that the issuer has taken back is good for KeyAge, whatever is done to
// keep it from being asked, and for KeyGrace more if it cannot be asked.
func TestKeyIsTakenBack(t *testing.T) {
	for _, trouble := range []string{"", "made-up keys", "503", "garbage", "hangs", "down"} {
		t.Run(trouble, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := start(t)
				v := is.verifier(oidclogin.Config{KeyAge: time.Hour, KeyGrace: 5 * time.Hour, Timeout: 2 * time.Second, Refresh: time.Minute})
				verify := func(k key) error {
					defer synctest.Wait()
					return verifyNow(t, v, k)
				}
				old := is.key()
				if err := verify(old); err != nil {
					t.Fatal(err)
				}
				is.keys.Store(&[]key{})
				time.Sleep(time.Hour - time.Second)
				if err := verify(old); err != nil {
					t.Errorf("within its hour: %v", err)
				}
				good := time.Duration(0)
				switch trouble {
				case "":
				case "made-up keys": // which the issuer is not asked about any more, for there are too many
					is.state.Store("503")
					for i := range 10 {
						verify(newKey(t, fmt.Sprint(i)))
					}
					is.state.Store("")
				case "down":
					is.net.Partition("localhost", "issuer.example")
					is.http.CloseIdleConnections()
					good = 5 * time.Hour
				default:
					is.state.Store(trouble)
					good = 5 * time.Hour
				}
				asked, begin, waited := is.asked.Load(), time.Now(), time.Duration(0)
				for time.Sleep(time.Second); time.Since(begin) < good; time.Sleep(5 * time.Minute) {
					all := make(chan time.Duration)
					for range 5 {
						go func() {
							begin := time.Now()
							if err := verifyNow(t, v, old); err != nil {
								t.Errorf("while the issuer is in trouble: %v", err)
							}
							all <- time.Since(begin)
						}()
					}
					for range 5 {
						waited += <-all
					}
				}
				synctest.Wait()
				if n := is.asked.Load() - asked; good > 0 && trouble != "down" && (n < 50 || n > 65) {
					t.Errorf("the issuer was asked %d times in five hours", n)
				}
				if waited > 70*2*time.Second { // one of the five, and the first time all
					t.Errorf("logins have waited %v for an issuer in trouble", waited)
				}
				err := verify(old)
				if refused := good == 0; err == nil || errors.Is(err, syncproto.ErrBadAssertion) != refused {
					t.Errorf("when its time is over: %v", err)
				}
				next := newKey(t, "next")
				is.keys.Store(&[]key{next})
				is.net.Heal("localhost", "issuer.example")
				is.state.Store("")
				time.Sleep(10 * time.Minute) // until made-up keys are paid for
				if err := verify(next); err != nil {
					t.Errorf("a good key: %v", err)
				}
				if err := verify(old); !errors.Is(err, oidclogin.ErrToken) {
					t.Errorf("in the end: %v", err)
				}
			})
		})
	}
}

func verifyNow(t *testing.T, v *oidclogin.Verifier, k key) error {
	_, err := v.Verify(t.Context(), k.sign(t, claims(nil)), client)
	return err
}

// Made-up keys do not become as many requests. While the issuer is not asked, an
// unknown key may be a new one: nobody is sent away for it.
func TestMadeUpKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := start(t)
		v := is.verifier(oidclogin.Config{Refresh: time.Minute})
		verify := func(k key) error {
			_, err := v.Verify(t.Context(), k.sign(t, claims(nil)), client)
			synctest.Wait()
			return err
		}
		if err := verify(is.key()); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			err := verify(newKey(t, fmt.Sprint(i)))
			if known := i < 4; err == nil || errors.Is(err, syncproto.ErrBadAssertion) != known {
				t.Fatalf("made-up key %d: %v", i, err)
			}
		}
		if n := is.fetched.Load(); n != 5 {
			t.Errorf("made-up keys made %d requests to the issuer", n-1)
		}
		if err := verify(is.key()); err != nil {
			t.Errorf("a key that is known: %v", err)
		}
		for range 60 {
			time.Sleep(time.Second)
			verify(newKey(t, "made up"))
		}
		if n := is.fetched.Load(); n != 6 {
			t.Errorf("made-up keys made %d requests to the issuer in a minute, want one", n-5)
		}
		next := newKey(t, "next")
		is.keys.Store(&[]key{next})
		time.Sleep(time.Minute)
		if err := verify(next); err != nil {
			t.Errorf("a new key, once the issuer may be asked: %v", err)
		}
	})
}

// An issuer that sends without end is not listened to for as long.
func TestEndlessAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := start(t)
		is.state.Store("endless")
		v := is.verifier(oidclogin.Config{})
		if _, err := v.Verify(t.Context(), is.key().sign(t, claims(nil)), client); err == nil || errors.Is(err, syncproto.ErrBadAssertion) {
			t.Error(err)
		}
		if n := is.sent.Load(); n < 1<<20 || n > 4<<20 {
			t.Errorf("it could send %d bytes", n)
		}
	})
}

// A login that is given up on neither waits nor takes the others with it.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := start(t)
		is.state.Store("hangs")
		v := is.verifier(oidclogin.Config{})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		waits := make(chan error)
		for range 3 {
			go func() { _, err := v.Verify(ctx, "x", client); waits <- err }()
		}
		for range 3 {
			if err := <-waits; !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syncproto.ErrBadAssertion) {
				t.Error(err)
			}
		}
		if d := time.Since(begin); d != time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func TestConfig(t *testing.T) {
	for field, c := range map[string]oidclogin.Config{
		"Issuer":   {},
		"Timeout":  {Issuer: issuerURL, Timeout: -1},
		"Refresh":  {Issuer: issuerURL, Refresh: -1},
		"KeyAge":   {Issuer: issuerURL, KeyAge: -1},
		"KeyGrace": {Issuer: issuerURL, KeyGrace: -1},
	} {
		if _, err := oidclogin.New(c); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
