package sqlstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/browserid"
)

// wire is a store at the other end of the protocol: what a device does, it does
// with requests to one of the servers of a fleet.
type wire struct {
	fleet  *fleet
	server int // index
}

// session is a login of a user. It is good for all servers.
type session struct{ auth, path string }

// login returns the session of a user, who logs in first if need be.
func (w wire) login(ctx context.Context, base, user string) (session, error) {
	f := w.fleet
	f.mu.Lock()
	s, ok := f.sessions[user]
	f.mu.Unlock()
	if ok {
		return s, nil
	}
	assertion := browserid.TestAssertion{Email: user, Audience: base}
	form := url.Values{"assertion": {assertion.String()}, "audience": {base}}
	res, body, err := w.send(ctx, "POST", base+"/verify", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
	if err != nil {
		return s, err
	}
	var answer struct {
		URL  string `json:"collection_url"`
		Auth string `json:"http_authorization"`
	}
	if res.StatusCode != 200 {
		return s, f.unexpected("login", res, body)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return s, err
	}
	s = session{answer.Auth, strings.TrimSuffix(strings.TrimPrefix(answer.URL, base), "/apps")}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions[user] = s
	return s, nil
}

func (w wire) do(ctx context.Context, method string, key syncproto.Key, query string, header http.Header, body []byte) (*http.Response, []byte, error) {
	base := w.fleet.ask(w.server)
	s, err := w.login(ctx, base, key.User)
	if err != nil {
		return nil, nil, err
	}
	header.Set("Authorization", s.auth)
	return w.send(ctx, method, base+s.path+"/"+key.Collection+"?"+query, header, body)
}

func (w wire) send(ctx context.Context, method, url string, header http.Header, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header = header
	res, err := w.fleet.clients[w.server].Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, text, err
}

func (w wire) Write(ctx context.Context, key syncproto.Key, write syncproto.Write) (syncproto.Result, error) {
	header := http.Header{"Idempotency-Key": {write.ID}}
	var query string
	var body []byte
	if d := write.Delete; d != nil {
		query = "delete"
		body, _ = json.Marshal(d) // two strings
	} else {
		var docs [][]byte
		for _, a := range write.Apps {
			docs = append(docs, a.Doc)
		}
		body = append(append([]byte("["), bytes.Join(docs, []byte(","))...), ']')
	}
	if t := write.IfUnmodifiedSince; t != nil {
		query = "lastget=" + t.String()
	}
	res, text, err := w.do(ctx, "POST", key, query, header, body)
	if err != nil {
		return syncproto.Result{}, err
	}
	var answer struct {
		Received syncproto.Time `json:"received"`
		Last     syncproto.Time `json:"last_modified"`
	}
	switch res.StatusCode {
	case 200:
		if err := json.Unmarshal(text, &answer); err != nil {
			return syncproto.Result{}, err
		}
		return syncproto.Result{Time: answer.Received, Replayed: true}, nil
	case http.StatusPreconditionFailed:
		if err := json.Unmarshal(text, &answer); err != nil {
			return syncproto.Result{}, err
		}
		return syncproto.Result{Previous: answer.Last}, syncproto.ErrConflict
	}
	return syncproto.Result{}, w.fleet.unexpected("push", res, text)
}

func (w wire) Read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int, begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	query := "since=" + since.String()
	if limit > 0 {
		query += fmt.Sprint("&limit=", limit)
	}
	res, text, err := w.do(ctx, "GET", key, query, http.Header{}, nil)
	if err != nil {
		return false, err
	}
	if res.StatusCode != 200 {
		return false, w.fleet.unexpected("pull", res, text)
	}
	var answer struct {
		UUID       string              `json:"uuid"`
		Apps       []json.RawMessage   `json:"applications"`
		Deleted    *syncproto.Deletion `json:"collection_deleted"`
		Incomplete bool                `json:"incomplete"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return false, err
	}
	// The ETag ends with the time of the collection's last write.
	etag := strings.Trim(res.Header.Get("ETag"), `"`)
	last, err := syncproto.ParseTime(etag[strings.LastIndexByte(etag, '-')+1:])
	if err != nil {
		return false, fmt.Errorf("ETag %q: %w", etag, err)
	}
	if err := begin(syncproto.State{UUID: answer.UUID, Last: last, Deleted: answer.Deleted}); err != nil {
		return false, err
	}
	for _, doc := range answer.Apps {
		var app struct{ Origin string }
		if err := json.Unmarshal(doc, &app); err != nil {
			return false, err
		}
		if err := each(syncproto.Record{App: syncproto.App{Origin: app.Origin, Doc: doc}}); err != nil {
			return false, err
		}
	}
	return answer.Incomplete, nil
}

func (w wire) State(ctx context.Context, key syncproto.Key) (st syncproto.State, err error) {
	_, err = w.Read(ctx, key, 0, 1, func(s syncproto.State) error {
		st = s
		return nil
	}, func(syncproto.Record) error { return nil })
	return st, err
}

func (w wire) Ping(ctx context.Context) error {
	res, _, err := w.send(ctx, "GET", w.fleet.base(w.server)+"/__ready__", http.Header{}, nil)
	if err == nil && res.StatusCode != 200 {
		err = errors.New(res.Status)
	}
	return err
}
