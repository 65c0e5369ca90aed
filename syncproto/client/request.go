package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// request is one request for the collection.
type request struct {
	op     string
	method string
	query  string
	match  string // the ETag that the collection must have
	body   []byte
	id     string // idempotency key
}

// reply is what an answer is read into. It says what is wrong with it, if it is
// not what was asked for.
type reply interface {
	check(http.Header) (wrong string)
}

// call logs in if need be, sends r and reads the answer into v. A session that
// has ended is renewed once.
func (d *Device) call(ctx context.Context, r request, v reply) error {
	for fresh := false; ; fresh = true {
		d.mu.Lock()
		auth, url := d.st.Auth, d.st.URL
		d.mu.Unlock()
		if auth == "" {
			if err := d.login(ctx); err != nil {
				return err
			}
			fresh = true
			continue
		}
		err := d.roundTrip(ctx, r, url, auth, v)
		var status *StatusError
		if !errors.As(err, &status) || status.Status != http.StatusUnauthorized || fresh {
			return err
		}
		if err := d.login(ctx); err != nil {
			return err
		}
	}
}

func (d *Device) roundTrip(ctx context.Context, r request, url, auth string, v reply) error {
	req, err := http.NewRequestWithContext(ctx, r.method, url+r.query, bytes.NewReader(r.body))
	if err != nil {
		return fmt.Errorf("client: %s: %w", r.op, err)
	}
	req.Header.Set("Authorization", auth)
	if r.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.id != "" {
		req.Header.Set("Idempotency-Key", r.id)
	}
	if r.match != "" {
		req.Header.Set("If-Match", r.match)
	}
	res, err := d.cfg.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("client: %s: %w", r.op, err)
	}
	defer res.Body.Close()
	if next := res.Header.Get("X-Sync-Authorization"); next != "" && res.StatusCode == http.StatusOK {
		d.mu.Lock()
		d.st.Auth = next // saved with the next change; the old one is good as well
		d.mu.Unlock()
	}
	return answer(r.op, res, v)
}

// maxAnswer is how large an answer may be. A page that is larger is asked for
// in smaller ones.
const maxAnswer = 64 << 20

var errTooLong = fmt.Errorf("it has more than %d bytes", maxAnswer)

// answer reads a JSON answer. That it is one is not enough: what stands between
// a device and its server may have answered.
func answer(op string, res *http.Response, v reply) error {
	if res.StatusCode != http.StatusOK {
		return failed(op, res)
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = errTooLong
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("client: %s: read the answer: %w", op, err)
	}
	if wrong := v.check(res.Header); wrong != "" {
		return &StatusError{Op: op, Status: res.StatusCode, Reason: wrong}
	}
	return nil
}

// failed makes an error of any other status.
func failed(op string, res *http.Response) error {
	e := &StatusError{Op: op, Status: res.StatusCode}
	b, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	var v struct{ Reason, Msg string }
	if json.Unmarshal(b, &v) == nil {
		e.Reason = v.Reason + v.Msg // servers send one of the two
	}
	s := res.Header.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		e.RetryAfter = time.Duration(min(int64(n), int64(math.MaxInt64/time.Second))) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		e.RetryAfter = max(0, time.Until(at))
	}
	return e
}

// session is the answer to a login.
type session struct {
	Email string `json:"email"`
	URL   string `json:"collection_url"`
	Auth  string `json:"http_authorization"`
}

// check looks for what no request could be made with: the session is stored, and
// would be in the way of the next login.
func (s *session) check(http.Header) (wrong string) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || s.Auth == "" || strings.ContainsFunc(s.Auth, unicode.IsControl) {
		return "the answer has no collection_url or no http_authorization to make requests with"
	}
	return ""
}

func (d *Device) login(ctx context.Context) error {
	assertion, audience, err := d.cfg.Login(ctx)
	if err != nil {
		return fmt.Errorf("client: login: %w", err)
	}
	form := url.Values{"assertion": {assertion}, "audience": {audience}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.cfg.URL+"/verify", strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("client: login: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := d.cfg.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("client: login: %w", err)
	}
	defer res.Body.Close()
	var v session
	if err := answer("login", res, &v); err != nil {
		return err
	}
	d.mu.Lock()
	user := d.st.User
	d.mu.Unlock()
	if user != "" && v.Email != user {
		return fmt.Errorf("client: login: it is that of %q, and what is stored is of %q: give each user a Storage of its own", v.Email, user)
	}
	i := strings.LastIndexByte(v.URL, '/')
	return d.update(ctx, func(s *state) {
		s.Server, s.User = d.cfg.URL, v.Email
		s.Auth, s.URL = v.Auth, v.URL[:i+1]+url.PathEscape(d.cfg.Collection)
	})
}
