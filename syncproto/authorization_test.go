package syncproto_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
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

// carelessSessions return what they are told to.
type carelessSessions struct{ issued, checked syncproto.Session }

func (c *carelessSessions) Issue(context.Context, string) (syncproto.Session, error) {
	return c.issued, nil
}

func (c *carelessSessions) Check(context.Context, string, string) (syncproto.Session, error) {
	return c.checked, nil
}

// Sessions without an ID would share their marks, and hide updates from each
// other's devices; a token that is too long would be refused at each request.
func TestSessionsThatAreNotAsTheyHaveToBe(t *testing.T) {
	good := syncproto.Session{ID: strings.Repeat("i", 255), Token: strings.Repeat("t", 1024), Expires: time.Now().Add(time.Hour)}
	c := &carelessSessions{good, syncproto.Session{ID: good.ID}}
	s := newSite(t, syncproto.Config{Sessions: c})
	d := s.device("ann@example.com")
	d.get("").want(200)
	for what, change := range map[string]func(*syncproto.Session){
		"without an ID":        func(s *syncproto.Session) { s.ID = "" },
		"ID has 256 bytes":     func(s *syncproto.Session) { s.ID += "i" },
		"Token has 1025 bytes": func(s *syncproto.Session) { s.Token += "t" },
		"without a Token":      func(s *syncproto.Session) { s.Token = "" },
		"Expires":              func(s *syncproto.Session) { s.Expires = time.Time{} },
	} {
		c.issued, c.checked = good, good
		change(&c.issued)
		form := url.Values{"assertion": {"ann@example.com?a=x"}, "audience": {"x"}}.Encode()
		s.do("POST", "/verify", form, "Content-Type", "application/x-www-form-urlencoded").want(503)
		if e := s.events[len(s.events)-1]; e.Err == nil || !strings.Contains(e.Err.Error(), what) {
			t.Errorf("a login: event %+v, want an error that says %q", e, what)
		}
		if change(&c.checked); what == "without a Token" || what == "Expires" {
			d.get("").want(200) // Check leaves them out
			continue
		}
		d.get("").want(503)
		if e := s.events[len(s.events)-1]; e.Err == nil || !strings.Contains(e.Err.Error(), what) {
			t.Errorf("a pull: event %+v, want an error that says %q", e, what)
		}
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
