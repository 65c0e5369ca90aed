package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// A device is a client of one user, as simple as can be.
type device struct {
	*process
	auth, path string
}

// login logs a user in with what the dev verifier accepts.
func (p *process) login(user string) device {
	p.t.Helper()
	form := url.Values{"assertion": {user + "?a=test"}, "audience": {"test"}}
	status, _, body := p.do("POST", "/verify", "", form.Encode())
	var login struct {
		URL  string `json:"collection_url"`
		Auth string `json:"http_authorization"`
	}
	if err := json.Unmarshal([]byte(body), &login); status != 200 || err != nil {
		p.t.Fatalf("login: %d %s", status, body)
	}
	path, ok := strings.CutPrefix(login.URL, p.url)
	if !ok {
		p.t.Fatalf("login on %s: collection_url %q is elsewhere", p.url, login.URL)
	}
	return device{p, login.Auth, path}
}

// at is the same device, after its server has been started again.
func (d device) at(p *process) device { return device{p, d.auth, d.path} }

// push pushes apps and returns the server's time of the push.
func (d device) push(origins ...string) json.Number {
	d.t.Helper()
	status, _, body := d.do("POST", d.path, d.auth, appsOf(origins))
	var answer struct{ Received json.Number }
	if err := json.Unmarshal([]byte(body), &answer); status != 200 || err != nil {
		d.t.Fatalf("push of %d apps: %d %s", len(origins), status, body)
	}
	return answer.Received
}

func appsOf(origins []string) string {
	var b strings.Builder
	for i, origin := range origins {
		sep := ","
		if i == 0 {
			sep = "["
		}
		fmt.Fprintf(&b, `%s{"origin":%q,"last_modified":1,"name":"app %d"}`, sep, origin, i)
	}
	return b.String() + "]"
}

// pull returns the origins of all apps, page by page.
func (d device) pull() map[string]bool {
	d.t.Helper()
	origins, since := map[string]bool{}, "0"
	for {
		status, _, body := d.do("GET", d.path+"?since="+since, d.auth, "")
		var page struct {
			Applications []struct{ Origin string }
			Until        json.Number
			Incomplete   bool
		}
		if err := json.Unmarshal([]byte(body), &page); status != 200 || err != nil {
			d.t.Fatalf("pull: %d %.200s", status, body)
		}
		for _, app := range page.Applications {
			origins[app.Origin] = true
		}
		if since = page.Until.String(); !page.Incomplete {
			return origins
		}
	}
}
