package syncproto

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Codes in the JSON body of a 4xx answer: {"code": 1, "msg": "..."}. The first
// three are the first server's.
const (
	CodeJSON      = 0 // 400: the body is not JSON
	CodeSince     = 1 // 400: since is not a number
	CodeMissing   = 2 // 400: something required is missing
	CodeDocument  = 3 // 400: JSON, but not of the form or the size allowed
	CodeParameter = 4 // 400: a query parameter or header makes no sense
	CodeTooLarge  = 5 // 413: too many bytes or apps in one request: send less at a time
	CodeQuota     = 6 // 403: the user holds too much
)

// A refusal is what is wrong with a request.
type refusal struct {
	status, code int
	msg          string
}

func (e *refusal) Error() string { return "syncproto: " + e.msg }

func bad(code int, msg string) *refusal { return &refusal{http.StatusBadRequest, code, msg} }

// json sends v with the status given.
func (x *exchange) json(status int, v any) {
	b, _ := json.Marshal(v) // of strings, numbers and Times, and so no error
	x.send(status, b)
}

func (x *exchange) send(status int, b []byte) {
	x.event.Status = status
	h := x.w.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	x.w.WriteHeader(status)
	if _, err := x.w.Write(b); err != nil {
		x.event.Err = err
	}
}

type failure struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
}

func (x *exchange) fail(status int, reason string) {
	x.json(status, failure{"failure", reason})
}

// refuse answers a 4xx with a code.
func (x *exchange) refuse(e *refusal) {
	x.event.Err = e
	x.json(e.status, struct {
		Code int    `json:"code"`
		Msg  string `json:"msg"`
	}{e.code, e.msg})
	if e.status == http.StatusRequestEntityTooLarge {
		x.linger()
	}
}

// unauthorized answers 401. It never has a header that says when to come back:
// the first clients then go on forever without being logged in.
func (x *exchange) unauthorized(reason string, err error) {
	x.event.Err = err
	h := x.w.Header()
	h["Retry-After"], h["X-Sync-Poll"], h["X-Sync-Poll-Time"] = nil, nil, nil
	h.Set("WWW-Authenticate", "AppSync")
	x.json(http.StatusUnauthorized, failure{"failed", reason})
}

// unavailable answers for a backend that failed. The reason goes to the event,
// not to the client.
func (x *exchange) unavailable(err error) {
	h := x.w.Header()
	h.Del("ETag") // of the answer that was meant to be
	if d := x.cfg.RetryAfter(); d > 0 {
		h.Set("Retry-After", seconds(d))
	}
	h.Set("Cache-Control", "no-store")
	x.fail(http.StatusServiceUnavailable, "temporarily unavailable")
	if ctx := x.r.Context(); ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		x.event.Status = statusGone // most likely nobody was there to read it
	}
	x.event.Err = err
}

const statusGone = 499

// seconds rounds up, for a client that comes too early comes in vain.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

func (x *exchange) conflict(last Time) {
	x.event.Err = ErrConflict
	x.json(http.StatusPreconditionFailed, struct {
		failure
		LastModified Time `json:"last_modified"`
	}{failure{"failure", "conflict"}, last})
}
