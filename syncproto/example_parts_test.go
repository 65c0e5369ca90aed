package syncproto_test

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
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

// authorization finds in the answer to a login what to send with requests.
func authorization(body string) string {
	var answer struct {
		Authorization string `json:"http_authorization"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		log.Fatal(err)
	}
	return answer.Authorization
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
		RetryAfter:  func() time.Duration { return 10 * time.Minute },
	})
	if err != nil {
		log.Fatal(err)
	}
	_, body := login(h, "ann@example.com?a=demo", "demo")
	r := httptest.NewRequest("POST", "/collections/ann@example.com/apps", strings.NewReader(`[]`))
	r.Header.Set("Authorization", authorization(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Retry-After"), w.Body)
	// Output: 503 600 {"status":"failure","reason":"temporarily unavailable"}
}

// siteSessions are sessions of one's own, which end when somebody logs out.
type siteSessions struct {
	mu      sync.Mutex
	byToken map[string]siteSession
}

type siteSession struct{ id, user string }

func (s *siteSessions) Issue(_ context.Context, user string) (syncproto.Session, error) {
	id, token := rand.Text(), rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byToken[token] = siteSession{id, user}
	return syncproto.Session{ID: id, Token: token, Expires: time.Now().AddDate(1, 0, 0)}, nil
}

func (s *siteSessions) Check(_ context.Context, user, token string) (syncproto.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.byToken[token]; ok && found.user == user {
		return syncproto.Session{ID: found.id}, nil
	}
	return syncproto.Session{}, syncproto.ErrNoSession // a 401
}

func (s *siteSessions) logout(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.byToken, func(_ string, found siteSession) bool { return found.user == user })
}

// Sessions of one's own can be ended, which SignedSessions can't.
func ExampleSessions() {
	sessions := &siteSessions{byToken: map[string]siteSession{}}
	h, err := syncproto.New(syncproto.Config{
		Store:       new(syncproto.Memory),
		Verifier:    verify.Plain{},
		Development: true,
		Sessions:    sessions,
	})
	if err != nil {
		log.Fatal(err)
	}
	_, body := login(h, "ann@example.com?a=demo", "demo")
	auth := authorization(body)
	pull := func() int {
		r := httptest.NewRequest("GET", "/collections/ann@example.com/apps", nil)
		r.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	fmt.Println(pull())
	sessions.logout("ann@example.com")
	fmt.Println(pull())
	// Output:
	// 200
	// 401
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
