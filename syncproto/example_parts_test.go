package syncproto_test

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func login(h http.Handler, assertion, audience string) (status int, body string) {
	form := url.Values{"assertion": {assertion}, "audience": {audience}}
	r := httptest.NewRequest("POST", "/verify", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// passwords is a verifier of one's own: the assertion is "user password".
type passwords map[string]string

func (p passwords) Verify(_ context.Context, assertion, _ string) (syncproto.Identity, error) {
	user, password, _ := strings.Cut(assertion, " ")
	want, ok := p[user]
	if subtle.ConstantTimeCompare([]byte(password), []byte(want)) != 1 || !ok {
		return syncproto.Identity{}, syncproto.ErrBadAssertion // a 401
	}
	return syncproto.Identity{Email: user, Issuer: "passwords"}, nil
}

// A verifier decides who can log in as whom.
func ExampleVerifier() {
	h, err := syncproto.New(syncproto.Config{
		Store:     new(syncproto.Memory),
		Verifier:  passwords{"ann@example.com": "correct horse"},
		Audiences: []string{"https://apps.example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(login(h, "ann@example.com battery staple", "https://apps.example.com"))
	status, _ := login(h, "ann@example.com correct horse", "https://apps.example.com")
	fmt.Println(status)
	// Output:
	// 401 {"status":"failed","reason":"assertion not accepted"}
	// 200
}

// frozen is a store of one's own, made of another: nobody writes to it while
// the data is moved.
type frozen struct{ syncproto.Store }

func (frozen) Write(context.Context, syncproto.Key, syncproto.Write) (syncproto.Result, error) {
	return syncproto.Result{}, errors.New("read-only until the move is over") // a 503
}

// Any error of a store that the contract doesn't name is a 503 with Retry-After.
func ExampleStore() {
	h, err := syncproto.New(syncproto.Config{
		Store:       frozen{new(syncproto.Memory)},
		Verifier:    verify.Plain{},
		Development: true,
		Sessions:    anybody{},
		RetryAfter:  func() time.Duration { return 10 * time.Minute },
	})
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/collections/ann@example.com/apps", strings.NewReader(`[]`))
	r.Header.Set("Authorization", "AppSync eA==:YW5uQGV4YW1wbGUuY29t:eA==")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Retry-After"), w.Body)
	// Output: 503 600 {"status":"failure","reason":"temporarily unavailable"}
}

// anybody takes every token for a session of whoever is named with it.
type anybody struct{}

func (anybody) Issue(_ context.Context, user string) (syncproto.Session, error) {
	return syncproto.Session{ID: user, Token: "x", Expires: time.Now().Add(time.Hour)}, nil
}

func (anybody) Check(_ context.Context, user, _ string) (syncproto.Session, error) {
	return syncproto.Session{ID: user, Expires: time.Now().Add(time.Hour)}, nil
}

// Limits bound one request, a quota what a user may hold. Clients are told.
func ExampleLimits() {
	h, err := syncproto.New(syncproto.Config{
		Store:       new(syncproto.Memory),
		Verifier:    verify.Plain{},
		Development: true,
		Limits:      syncproto.Limits{Body: 64 << 10, Apps: 100, Page: 500},
		Quota:       syncproto.Quota{Collections: 10, Apps: 2000, Bytes: 10 << 20},
	})
	if err != nil {
		log.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/info/configuration", nil))
	fmt.Println(strings.ReplaceAll(w.Body.String(), ",", ",\n"))
	// Output:
	// {"max_body_bytes":65536,
	// "max_push_apps":100,
	// "max_document_bytes":1048576,
	// "max_document_depth":32,
	// "max_origin_bytes":1024,
	// "max_page_apps":500,
	// "quota_collections":10,
	// "quota_apps":2000,
	// "quota_bytes":10485760,
	// "max_wait_seconds":0,
	// "idempotency_seconds":86400}
}
