package syncproto_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func TestAuthorization(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	ann, bob := s.device("ann@example.com"), s.device("bob@example.com")

	s.do("GET", annURL, "", "Authorization", ann.auth).want(200)
	s.do("GET", annURL, "", "Authentication", ann.auth).want(200)
	s.do("GET", annURL, "", "Authorization", ann.auth, "Authentication", bob.auth).want(200)
	s.do("GET", "/collections/ann@example.com/apps", "", "Authorization", ann.auth).want(200)
	s.do("GET", annURL, "", "Authorization", strings.ReplaceAll(ann.auth, "=", "")).want(200)

	parts := strings.Split(strings.TrimPrefix(ann.auth, "AppSync "), ":")
	bobs := strings.Split(strings.TrimPrefix(bob.auth, "AppSync "), ":")
	join := func(p ...string) string { return "AppSync " + strings.Join(p, ":") }
	b64 := func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) }
	s.do("GET", annURL, "", "Authorization", join(b64("any assertion"), parts[1], parts[2])).want(200)
	for name, auth := range map[string]string{
		"none":                        "",
		"another scheme":              "Basic YTpi",
		"scheme in lower case":        strings.Replace(ann.auth, "AppSync", "appsync", 1),
		"two spaces":                  strings.Replace(ann.auth, " ", "  ", 1),
		"two parts":                   join(parts[1], parts[2]),
		"four parts":                  join(parts[0], parts[1], parts[2], ""),
		"not base64":                  join(parts[0], parts[1], "%%%"),
		"no token":                    join(parts[0], parts[1], ""),
		"somebody else's":             bob.auth,
		"somebody else's, renamed":    join(bobs[0], parts[1], bobs[2]),
		"somebody else's, her name":   join(parts[0], bobs[1], parts[2]),
		"cut token":                   join(parts[0], parts[1], parts[2][:len(parts[2])-8]),
		"changed token":               join(parts[0], parts[1], "AAAA"+parts[2][4:]),
		"enormous":                    join(parts[0], parts[1], strings.Repeat("A", 5000)),
		"name with the token's start": join(parts[0], b64("ann@example.com\x01"), parts[2]),
	} {
		a := s.do("GET", annURL, "", "Authorization", auth).want(401)
		if a.Body.String() != `{"status":"failed","reason":"log in first"}` {
			t.Errorf("%s: %s: all refusals must look alike", name, a.Body)
		}
		noRetry(t, a)
		s.do("POST", annURL, "[]", "Authorization", auth).want(401)
		s.do("POST", annURL+"?delete", `{"client_id":"x"}`, "Authorization", auth).want(401)
	}
	s.do("GET", "/collections/ann%2540example.com/apps", "", "Authorization", ann.auth).want(401)
}

// A client that takes the newer tokens it is offered stays logged in for as long
// as it comes now and then.
func TestSessionSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSite(t, syncproto.Config{}).device("ann@example.com")
		first, renewed := d.auth, 0
		for day := range 100 {
			a := d.get("").want(200)
			if next := a.Header().Get("X-Sync-Authorization"); next != "" {
				d.auth = next
				renewed++
			} else if day == 0 {
				d.push(`[{"origin":"a"}]`) // of which the session's mark is kept
				d.pull(0)
			}
			time.Sleep(24 * time.Hour)
		}
		if renewed < 5 || renewed > 8 {
			t.Errorf("%d new tokens in 100 days, want one each 15", renewed)
		}
		until := d.pull(0).Until
		if got := d.push(`[{"origin":"a"}]`); got <= until {
			t.Errorf("received %v after everything until %v was pulled: the session is not the same any more", got, until)
		}
		d.auth = first
		d.get("").want(401)
	})
}

type brokenSessions struct{ syncproto.Sessions }

func (brokenSessions) Check(context.Context, string, string) (syncproto.Session, error) {
	return syncproto.Session{}, errors.New("session store: connection refused")
}

func TestSessionStoreDownIsNot401(t *testing.T) {
	key := [][]byte{make([]byte, 32)}
	s := newSite(t, syncproto.Config{Sessions: brokenSessions{&syncproto.SignedSessions{Keys: key}}})
	a := s.device("ann@example.com").get("").want(503)
	if a.Header().Get("Retry-After") == "" {
		t.Errorf("503 without Retry-After")
	}
}

func FuzzAuthorization(f *testing.F) {
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "AppSync ::", "AppSync YQ==:YW5uQGV4YW1wbGUuY29t:AAAA", "AppSync a:b", "Basic x", "AppSync \xff:\x00:="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, auth string) {
		s := &site{t: t, h: h}
		if a := s.do("GET", annURL, "", "Authorization", auth); a.Code != 401 {
			t.Fatalf("%q: %d %s, want 401: nobody has logged in", auth, a.Code, a.Body)
		}
	})
}
