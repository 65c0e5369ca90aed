package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/brownout-go/brownout/syncproto"
)

// serviceURL is where a service is, to those who ask it through a RoundTripper.
const serviceURL = "http://service.example"

// errAnswer is an answer that no fault excuses.
var errAnswer = errors.New("storetest: not an answer to this request")

// errAgain is an answer that says to come again.
var errAgain = errors.New("storetest: the service is not available")

// wire is one client of a service, with a session of its own and a cache as a
// browser has it.
type wire struct {
	servers []http.RoundTripper
	server  func() int // which one is asked next

	mu      sync.Mutex
	auth    map[string]string // by user
	answers map[string]answer // by URL, those with an ETag
}

type answer struct {
	status int
	header http.Header
	body   []byte
	fresh  bool // and not of the cache
}

func newWire(servers []http.RoundTripper, server func() int) *wire {
	return &wire{servers: servers, server: server, auth: map[string]string{}, answers: map[string]answer{}}
}

// RoundTrip sends a request to the next server.
func (c *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.servers[c.server()].RoundTrip(r)
}

func (c *wire) send(ctx context.Context, method, url string, header http.Header, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header = header
	res, err := c.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusServiceUnavailable {
		err = fmt.Errorf("%w: %s", errAgain, text)
	}
	return answer{res.StatusCode, res.Header, text, true}, err
}

// login returns what authorizes a user, who logs in first if need be.
func (c *wire) login(ctx context.Context, user string) (string, error) {
	c.mu.Lock()
	auth := c.auth[user]
	c.mu.Unlock()
	if auth != "" {
		return auth, nil
	}
	form := url.Values{"assertion": {user}, "audience": {"storetest"}}
	a, err := c.send(ctx, "POST", serviceURL+"/verify", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
	if err != nil {
		return "", err
	}
	var v struct {
		Auth string `json:"http_authorization"`
	}
	if err := json.Unmarshal(a.body, &v); a.status != 200 || err != nil {
		return "", fmt.Errorf("%w: login: %d %s", errAnswer, a.status, a.body)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.auth[user] = v.Auth
	return v.Auth, nil
}

// logout forgets the session, as a device does that is set up anew.
func (c *wire) logout(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.auth, user)
}

// do sends a request about a collection, and demands one of the statuses.
func (c *wire) do(ctx context.Context, method string, key syncproto.Key, query string, header http.Header, body []byte, want ...int) (answer, error) {
	auth, err := c.login(ctx, key.User)
	if err != nil {
		return answer{}, err
	}
	header.Set("Authorization", auth)
	url := serviceURL + "/collections/" + key.User + "/" + key.Collection + "?" + query
	c.mu.Lock()
	known, ok := c.answers[url]
	c.mu.Unlock()
	if ok && method == "GET" {
		header.Set("If-None-Match", known.header.Get("ETag"))
	}
	a, err := c.send(ctx, method, url, header, body)
	if err != nil {
		return a, err
	}
	if ok && a.status == http.StatusNotModified && a.header.Get("ETag") == known.header.Get("ETag") {
		known.fresh = false
		return known, nil
	}
	for _, status := range want {
		if a.status == status {
			if method == "GET" && a.status == 200 && a.header.Get("ETag") != "" {
				c.mu.Lock()
				c.answers[url] = a
				c.mu.Unlock()
			}
			return a, nil
		}
	}
	return a, fmt.Errorf("%w: %s %s: %d %s", errAnswer, method, query, a.status, a.body)
}

// push makes a write, and returns what the store said to it and what the client
// is told. The forms that a request can have take turns.
func (c *wire) push(ctx context.Context, key syncproto.Key, w syncproto.Write) (res syncproto.Result, received syncproto.Time, err error) {
	form := crc32.ChecksumIEEE([]byte(w.ID))
	header := http.Header{"Idempotency-Key": {w.ID}, quotaHeader: {fmt.Sprint(w.Quota.Apps)}}
	var query string
	var body []byte
	if w.Delete != nil {
		query = "delete"
		body, _ = json.Marshal(w.Delete) // two strings
	} else {
		var docs [][]byte
		for _, a := range w.Apps {
			if form%2 == 0 {
				docs = append(docs, a.Doc)
			} else {
				docs = append(docs, fmt.Appendf(nil, "%q:%s", a.Origin, a.Doc))
			}
		}
		open, shut := "[", "]"
		if form%2 == 1 {
			open, shut = "{", "}"
		}
		body = []byte(open + string(bytes.Join(docs, []byte(","))) + shut)
	}
	if t := w.IfUnmodifiedSince; t != nil {
		switch form / 2 % 4 {
		case 0:
			query = "lastget=" + t.String()
		case 1:
			query = "since=" + t.String()
		case 2:
			header.Set("X-If-Unmodified-Since", t.String())
		case 3:
			header.Set("If-Match", `"uuid-`+t.String()+`"`)
		}
	}
	a, err := c.do(ctx, "POST", key, query, header, body, 200, http.StatusPreconditionFailed, http.StatusForbidden)
	if err != nil {
		return res, 0, err
	}
	if err := json.Unmarshal([]byte(a.header.Get(resultHeader)), &res); err != nil {
		return res, 0, fmt.Errorf("%w: %s %q: %v", errAnswer, resultHeader, a.header.Get(resultHeader), err)
	}
	switch a.status {
	case http.StatusPreconditionFailed:
		return res, 0, syncproto.ErrConflict
	case http.StatusForbidden:
		return res, 0, &syncproto.QuotaError{What: "apps", Limit: int64(w.Quota.Apps)}
	}
	var v struct{ Received syncproto.Time }
	if err := json.Unmarshal(a.body, &v); err != nil {
		return res, 0, fmt.Errorf("%w: %s: %v", errAnswer, a.body, err)
	}
	if v.Received < 1 || !res.Replayed && v.Received > max(res.Time, 1) || w.IfUnmodifiedSince != nil && w.Delete == nil && v.Received < res.Time {
		return res, 0, fmt.Errorf("%w: received %v of a write at %v", errAnswer, v.Received, res.Time)
	}
	return res, v.Received, nil
}

// pull reads a page. Late says that by the protocol it may be one of a while ago.
func (c *wire) pull(ctx context.Context, key syncproto.Key, since syncproto.Time, query string) (p page, late bool, err error) {
	a, err := c.do(ctx, "GET", key, "since="+since.String()+query, http.Header{}, nil, 200)
	if err != nil {
		return p, false, err
	}
	var v struct {
		UUID       string              `json:"uuid"`
		Apps       []json.RawMessage   `json:"applications"`
		Until      syncproto.Time      `json:"until"`
		Deleted    *syncproto.Deletion `json:"collection_deleted"`
		Incomplete bool                `json:"incomplete"`
	}
	if err := json.Unmarshal(a.body, &v); err != nil {
		return p, false, fmt.Errorf("%w: %s: %v", errAnswer, a.body, err)
	}
	// The ETag ends with the time of the collection's last write.
	etag := strings.Trim(a.header.Get("ETag"), `"`)
	last, err := syncproto.ParseTime(etag[strings.LastIndexByte(etag, '-')+1:])
	if err != nil {
		return p, false, fmt.Errorf("%w: ETag %q: %v", errAnswer, etag, err)
	}
	p.state, p.more = syncproto.State{UUID: v.UUID, Last: last, Deleted: v.Deleted}, v.Incomplete
	for _, doc := range v.Apps {
		var app struct{ Origin string }
		if err := json.Unmarshal(doc, &app); err != nil {
			return p, false, fmt.Errorf("%w: %s: %v", errAnswer, doc, err)
		}
		p.records = append(p.records, syncproto.Record{App: syncproto.App{Origin: app.Origin, Doc: doc}})
	}
	if n := len(p.records); n > 0 { // of the others the time is not said
		p.records[n-1].Time = v.Until
	} else if v.Deleted == nil && v.Until != since {
		return p, false, fmt.Errorf("%w: until %v with no news since %v", errAnswer, v.Until, since)
	}
	return p, !a.fresh || len(p.records) == 0 && v.Deleted == nil, nil
}

func (c *wire) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	res, _, err := c.push(ctx, key, w)
	return res, err
}

func (c *wire) page(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int) (page, bool, error) {
	query := ""
	if limit > 0 {
		query = fmt.Sprint("&limit=", limit)
	}
	return c.pull(ctx, key, since, query)
}
