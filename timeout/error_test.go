package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

func TestErrorIsADeadline(t *testing.T) {
	request := &timeout.Error{Reason: timeout.ReasonDeadline, Limit: time.Second}
	call := fmt.Errorf("looking up ada: %w", &timeout.Error{Backend: "ldap", Reason: timeout.ReasonOpen, Err: io.ErrUnexpectedEOF})
	for _, err := range []error{request, call} {
		var nerr net.Error
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &nerr) || !nerr.Timeout() {
			t.Errorf("%v is no deadline", err)
		}
	}
	if !errors.Is(request, http.ErrHandlerTimeout) || errors.Is(call, http.ErrHandlerTimeout) {
		t.Error("http.ErrHandlerTimeout is for whole requests")
	}
	if !errors.Is(call, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}

func TestErrorTexts(t *testing.T) {
	for want, e := range map[string]timeout.Error{
		"timeout: request: no answer within 2s":                              {Reason: timeout.ReasonDeadline, Limit: 2 * time.Second},
		"timeout: ldap: no answer within 1s: EOF":                            {Backend: "ldap", Reason: timeout.ReasonDeadline, Limit: time.Second, Err: io.EOF},
		"timeout: request: not available: EOF":                               {Err: io.EOF},
		"timeout: ldap: no connection within 1s":                             {Backend: "ldap", Reason: timeout.ReasonDial, Limit: time.Second},
		"timeout: ldap: silent for 1s in the middle of an answer":            {Backend: "ldap", Reason: timeout.ReasonIdle, Limit: time.Second},
		"timeout: ldap: not started, only 0s of the budget left":             {Backend: "ldap", Reason: timeout.ReasonBudget, Limit: -time.Second},
		"timeout: ldap: not started, all slots and the queue are taken":      {Backend: "ldap", Reason: timeout.ReasonFull},
		"timeout: ldap: not started, no slot within 20ms":                    {Backend: "ldap", Reason: timeout.ReasonQueue, Limit: 20 * time.Millisecond},
		"timeout: ldap: not started, the breaker is open: too many failures": {Backend: "ldap", Reason: timeout.ReasonOpen, Err: errors.New("too many failures")},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
