package syncproto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

type verifierFunc func(assertion, audience string) (syncproto.Identity, error)

func (f verifierFunc) Verify(_ context.Context, assertion, audience string) (syncproto.Identity, error) {
	return f(assertion, audience)
}

func TestLogin(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	before := time.Now()
	a := s.verify("ann@example.com?a=https://apps.example.com/", "https://apps.example.com/").want(200)
	v := a.object()
	for k, want := range map[string]any{
		"email":                 "ann@example.com",
		"audience":              "https://apps.example.com/", // to the slash
		"status":                "okay",
		"issuer":                "example.com",
		"collection_url":        "http://example.com" + annURL,
		"authentication_header": v["http_authorization"],
	} {
		if v[k] != want {
			t.Errorf("%s is %v, want %v", k, v[k], want)
		}
	}
	if until, _ := v["valid-until"].(float64); until < float64(before.Add(24*time.Hour).Unix()) {
		t.Errorf("valid-until %v: want seconds, at least a day from now", v["valid-until"])
	}
	if auth, _ := v["http_authorization"].(string); !strings.HasPrefix(auth, "AppSync ") || strings.Count(auth, ":") != 2 {
		t.Errorf("http_authorization %q", auth)
	}
	if len(v) != 8 {
		t.Errorf("fields of the login: %v", v)
	}
	if got := a.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q: a login must not be kept by a cache", got)
	}
}

func TestLoginForms(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	plain := "assertion=ann%40example.com%3Fa%3Dx&audience=x"
	s.do("POST", "/verify", plain, "Content-Type", "application/x-www-form-urlencoded; charset=UTF-8").want(200)
	s.do("POST", "/verify", plain).want(200) // no content type at all

	var b bytes.Buffer
	mp := multipart.NewWriter(&b)
	mp.WriteField("assertion", "ann@example.com?a=x")
	mp.WriteField("audience", "x")
	mp.Close()
	s.do("POST", "/verify", b.String(), "Content-Type", mp.FormDataContentType()).want(200)

	form := "application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		target, body, contentType string
		status, code              int
	}{
		"query string not read": {"/verify?" + plain, "", form, 400, syncproto.CodeMissing},
		"no audience":           {"/verify", "assertion=a", form, 400, syncproto.CodeMissing},
		"no assertion":          {"/verify", "audience=a", form, 400, syncproto.CodeMissing},
		"nothing":               {"/verify", "", form, 400, syncproto.CodeMissing},
		"JSON":                  {"/verify", `{"assertion":"a","audience":"b"}`, "application/json", 400, syncproto.CodeMissing},
		"broken form":           {"/verify", "%zz", form, 400, syncproto.CodeParameter},
		"broken multipart":      {"/verify", "x", "multipart/form-data; boundary=b", 400, syncproto.CodeParameter},
		"too long":              {"/verify", plain + strings.Repeat("x", 70_000), form, 413, syncproto.CodeTooLarge},
	} {
		if got := s.do("POST", c.target, c.body, "Content-Type", c.contentType).want(c.status).code(); got != c.code {
			t.Errorf("%s: code %d, want %d", name, got, c.code)
		}
	}
	// Empty values are the verifier's to refuse.
	s.do("POST", "/verify", "assertion=&audience=", "Content-Type", form).want(401)
}

func TestLoginRefused(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	for _, assertion := range []string{"", "ann@example.com", "ann@example.com?a=https://other.example.com", "ann?a=" + audience, "@?a=" + audience, "a\x00@b?a=" + audience} {
		a := s.verify(assertion, audience).want(401)
		if v := a.object(); v["status"] != "failed" || v["reason"] == "" {
			t.Errorf("%q: %s, want status failed and a reason", assertion, a.Body)
		}
		noRetry(t, a)
	}
}

// noRetry demands that an answer says nothing of when to come back.
func noRetry(t *testing.T, a answer) {
	t.Helper()
	for _, h := range []string{"Retry-After", "X-Sync-Poll", "X-Sync-Poll-Time"} {
		if v := a.Header().Get(h); v != "" {
			t.Errorf("a %d has %s: %q: the first clients then come back for ever, logged out", a.Code, h, v)
		}
	}
}

func TestLoginBackendDown(t *testing.T) {
	s := newSite(t, syncproto.Config{
		Audiences: []string{"*"},
		Verifier: verifierFunc(func(string, string) (syncproto.Identity, error) {
			return syncproto.Identity{}, errors.New("dial 10.0.0.7: secret")
		}),
	})
	a := s.verify("", "").want(503)
	if got := a.Header().Get("Retry-After"); got != "120" {
		t.Errorf("Retry-After %q, want the default of 120", got)
	}
	if strings.Contains(a.Body.String(), "secret") {
		t.Errorf("the answer tells internals: %s", a.Body)
	}
	if e := s.events[0]; e.Op != "login" || e.Status != 503 || !strings.Contains(fmt.Sprint(e.Err), "secret") {
		t.Errorf("event %+v: want the reason", e)
	}
}

func TestAudiences(t *testing.T) {
	s := newSite(t, syncproto.Config{Audiences: []string{audience}})
	s.verify("ann@example.com?a="+audience, audience).want(200)
	// Made for another site, which could have had it from the user.
	s.verify("ann@example.com?a=https://evil.example.com", "https://evil.example.com").want(401)
	s.verify("ann@example.com?a="+audience+"/", audience+"/").want(401)
}

func TestDevelopmentNeedsTheSwitch(t *testing.T) {
	s := newSite(t, syncproto.Config{Verifier: verify.Plain{}, Audiences: []string{"*"}})
	a := s.verify("ann@example.com?a=x", "x").want(401)
	if !strings.Contains(a.Body.String(), "development") {
		t.Errorf("the reason does not say why: %s", a.Body)
	}
}

func TestCollectionURL(t *testing.T) {
	type forwarded = map[string]string
	for name, c := range map[string]struct {
		config  syncproto.Config
		target  string
		strip   string
		headers forwarded
		want    string
	}{
		"at the root":       {target: "http://sync.example.com/verify", want: "http://sync.example.com"},
		"TLS":               {target: "https://sync.example.com/verify", want: "https://sync.example.com"},
		"port":              {target: "http://127.0.0.1:5000/verify", want: "http://127.0.0.1:5000"},
		"under a prefix":    {target: "http://example.com/v1/sync/verify?x=/verify", strip: "/v1/sync", want: "http://example.com/v1/sync"},
		"a prefix escaped":  {target: "http://example.com/a%20b/verify", strip: "/a b", want: "http://example.com/a%20b"},
		"proxy not trusted": {target: "http://in:80/verify", headers: forwarded{"X-Forwarded-Host": "evil", "X-Forwarded-Proto": "https"}, want: "http://in:80"},
		"proxy trusted": {
			config:  syncproto.Config{TrustProxy: true},
			target:  "http://in:80/sync/verify",
			strip:   "/sync",
			headers: forwarded{"X-Forwarded-Host": "example.com, in2", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/api/"},
			want:    "https://example.com/api/sync",
		},
		"proxy says nothing": {config: syncproto.Config{TrustProxy: true}, target: "http://in/verify", want: "http://in"},
		"proxy says nonsense": {
			config:  syncproto.Config{TrustProxy: true},
			target:  "http://in/verify",
			headers: forwarded{"X-Forwarded-Proto": "javascript", "X-Forwarded-Prefix": "evil"},
			want:    "http://in",
		},
		"configured": {config: syncproto.Config{BaseURL: "https://a.example.com/s"}, target: "http://in/verify", want: "https://a.example.com/s"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, c.config)
			s.h = http.StripPrefix(c.strip, s.h)
			header := []string{"Content-Type", "application/x-www-form-urlencoded"}
			for k, v := range c.headers {
				header = append(header, k, v)
			}
			v := s.do("POST", c.target, "assertion=ann@example.com?a=x&audience=x", header...).want(200).object()
			if got, want := v["collection_url"], c.want+annURL; got != want {
				t.Errorf("collection_url %v, want %v", got, want)
			}
		})
	}
}
