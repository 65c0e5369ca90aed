package cluster

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A session is a client that has logged in, and does what it is told.
type session struct {
	t         *testing.T
	via       http.RoundTripper
	url, auth string
}

type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

func (s session) do(via http.RoundTripper, method, url, kind, body string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", s.auth)
	r.Header.Set("Content-Type", kind)
	res, err := via.RoundTrip(r)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(b), err}
}

func (s session) get(via http.RoundTripper, query string) answer {
	return s.do(via, "GET", s.url+query, "", "")
}

func (s session) post(via http.RoundTripper, query, body string) answer {
	return s.do(via, "POST", s.url+query, "application/json", body)
}

// want ends the test unless the answer is of that status, and reads it.
func (s session) want(status int, a answer, v any) {
	s.t.Helper()
	if a.err != nil || a.status != status {
		s.t.Fatalf("%d %s, %v; want %d", a.status, a.body, a.err, status)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(a.body), v); err != nil {
			s.t.Fatalf("%s: %v", a.body, err)
		}
	}
}

// page is an answer to a pull.
type page struct {
	Apps  []struct{ Origin string } `json:"applications"`
	Until json.Number
}

type received struct{ Received json.Number }

func (p page) origins() []string {
	var all []string
	for _, app := range p.Apps {
		all = append(all, app.Origin)
	}
	return all
}
