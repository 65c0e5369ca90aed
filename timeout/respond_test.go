package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

var errInvalid = errors.New("invalid connection") // as go-sql-driver/mysql has it

func TestErrorsOfHandlers(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		failures := map[string]error{
			"/call":    fmt.Errorf("finding ada: %w", &timeout.Error{Backend: "ldap", Reason: timeout.ReasonFull}),
			"/own":     &timeout.Error{Backend: "ldap", RetryAfter: 1500 * time.Millisecond},
			"/ages":    &timeout.Error{Backend: "ldap", RetryAfter: 1<<63 - 1},
			"/none":    &timeout.Error{Backend: "ldap", RetryAfter: -1},
			"/context": context.DeadlineExceeded,
			"/net":     os.ErrDeadlineExceeded,
			"/reset":   &net.OpError{Op: "read", Err: syscall.ECONNRESET},
			"/bare":    os.NewSyscallError("write", syscall.ECONNRESET),
			"/missing": os.ErrNotExist,
			"/invalid": fmt.Errorf("finding ada: %w", errInvalid),
			"/bug":     errors.New("secret detail"),
		}
		var seen events
		l := limiter(s.T, timeout.Config{
			OnEvent:     seen.add,
			Unavailable: func(err error) bool { return errors.Is(err, errInvalid) },
		})
		serve(l.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Etag", `"x"`)
			w.Header().Set("X-Request-Id", "7")
			return failures[r.URL.Path]
		}))
		for path, want := range map[string]struct {
			status int
			after  string
		}{
			"/call": {503, "120"}, "/own": {503, "2"}, "/ages": {503, "9223372037"}, "/none": {503, ""},
			"/context": {503, "120"}, "/net": {503, "120"}, "/reset": {503, "120"}, "/bare": {503, "120"}, "/missing": {500, ""}, "/invalid": {503, "120"}, "/bug": {500, ""},
		} {
			res, body, _ := s.get(path)
			if res.StatusCode != want.status || res.Header.Get("Retry-After") != want.after {
				s.Errorf("%s: got %v, Retry-After %q; want %v", path, res.Status, res.Header.Get("Retry-After"), want)
			}
			if strings.Contains(body, "ldap") || strings.Contains(body, "secret") {
				s.Errorf("%s: the body tells too much: %q", path, body)
			}
			if res.Header.Get("Etag") != "" || res.Header.Get("X-Request-Id") != "7" || res.Header.Get("Cache-Control") != "no-store" {
				s.Errorf("%s: headers %v", path, res.Header)
			}
			synctest.Wait() // the event comes after the answer
			got := seen.take()
			if len(got) != 1 || got[0].Kind != timeout.KindFailed || got[0].Status != want.status ||
				!errors.Is(got[0].Err, failures[path]) || got[0].Incident == "" || !strings.Contains(body, got[0].Incident) {
				s.Errorf("%s: events %+v, body %q", path, got, body)
			}
		}
	})
}

// An error after the response has begun cannot become a 503: the client gets an error too.
func TestErrorAfterTheResponseHasBegun(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		serve(limiter(s.T, timeout.Config{}).HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			return errors.New("the other half")
		}))
		res, err := s.client.Get("http://site/")
		if err != nil {
			s.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); string(body) != "half" || err == nil {
			s.Errorf("got %q, %v", body, err)
		}
	})
}

func TestRespondHook(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{
			RetryAfter: func(e *timeout.Error) time.Duration { return e.Limit },
			Respond: func(w http.ResponseWriter, r *http.Request, e *timeout.Error) {
				if r.URL.Path == "/panic" {
					panic("in the hook")
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusGatewayTimeout)
				io.WriteString(w, `"later"`)
			},
		})
		serve(l.Handler(http.HandlerFunc(hang)))
		res, body, took := s.get("/")
		if res.StatusCode != 504 || body != `"later"` || res.ContentLength != 7 || took != total ||
			res.Header.Get("Content-Type") != "application/json" || res.Header.Get("Retry-After") != "1" {
			s.Errorf("got %v %v %q after %v", res.Status, res.Header, body, took)
		}
		if res, body, _ := s.get("/panic"); res.StatusCode != 503 || !strings.HasPrefix(body, "503 ") {
			s.Errorf("got %v %q", res.Status, body)
		}
		synctest.Wait()
		if !strings.Contains(s.log.String(), "in the hook") {
			s.Errorf("the panic of the hook is nowhere: %q", s.log)
		}
	})
}

func TestNewRefusesBadConfigs(t *testing.T) {
	for want, c := range map[string]timeout.Config{
		"Total":     {Total: -1},
		"Grace is":  {Grace: -1},
		"Grace":     {Total: time.Second, Grace: time.Second},
		"WriteIdle": {WriteIdle: -1},
	} {
		if _, err := timeout.New(c); err == nil || !strings.Contains(err.Error(), "Config."+want) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
	if _, err := timeout.New(timeout.Config{}); err != nil {
		t.Errorf("the zero config: %v", err)
	}
}
