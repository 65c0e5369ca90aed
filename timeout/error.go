package timeout

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// A Reason says which limit ended or refused something. The set is closed and small, so
// that a reason can be part of a metric's name.
type Reason string

// The limits there are.
const (
	ReasonDeadline Reason = "deadline" // not done within its limit
	ReasonDial     Reason = "dial"     // no connection within BackendConfig.Dial
	ReasonIdle     Reason = "idle"     // silence in the middle of an answer
	ReasonBody     Reason = "body"     // the client sent nothing of its request for Config.ReadIdle
	ReasonBudget   Reason = "budget"   // too little of the request's time was left to start
	ReasonFull     Reason = "full"     // all slots taken and the queue full
	ReasonQueue    Reason = "queue"    // no slot came free within the queue wait
	ReasonOpen     Reason = "open"     // refused by the breaker
)

// reasons lists them all, for counters that are kept by reason.
var reasons = [...]Reason{ReasonDeadline, ReasonDial, ReasonIdle, ReasonBody, ReasonBudget, ReasonFull, ReasonQueue, ReasonOpen}

// index returns the reason's place in reasons.
func (r Reason) index() int {
	for i, known := range reasons {
		if r == known {
			return i
		}
	}
	return 0
}

// refusal reports whether what the reason stands for was refused before it started.
func (r Reason) refusal() bool {
	return r == ReasonBudget || r == ReasonFull || r == ReasonQueue || r == ReasonOpen
}

// An Error reports that a limit ended a call, or kept it from starting. It is
// context.DeadlineExceeded to [errors.Is], implements [net.Error] with Timeout true, and
// unwraps to what the backend reported, if it reported something.
type Error struct {
	// Backend names the backend; "" means the request as a whole.
	Backend string

	// Reason is the limit that was met. It is empty on the error that Config.Respond gets
	// when it was no limit but a failed connection.
	Reason Reason

	// Limit is how long the call was allowed to take. It may be shorter than the
	// configured one, when less of the request's budget was left. For ReasonBudget it is
	// what was left; for ReasonFull and ReasonOpen it is zero.
	Limit time.Duration

	// Elapsed is how long it had taken when it was given up.
	Elapsed time.Duration

	// RetryAfter is the least time after which trying again makes sense. Zero leaves it
	// to Config.RetryAfter, negative asks for no Retry-After header.
	RetryAfter time.Duration

	// Incident is the id that ties what a client is shown to an [Event]. It is set on the
	// error that Config.Respond gets, and empty elsewhere.
	Incident string

	// Err is what the backend's client reported, or nil.
	Err error
}

var _ net.Error = (*Error)(nil)

// Error describes the limit, for a log: it names the backend, so it is not for clients.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("timeout: ")
	if e.Backend == "" {
		b.WriteString("request")
	} else {
		b.WriteString(e.Backend)
	}
	b.WriteString(": ")
	switch e.Reason {
	case "":
		b.WriteString("not available")
	case ReasonDial:
		fmt.Fprintf(&b, "no connection within %v", e.Limit)
	case ReasonIdle:
		fmt.Fprintf(&b, "silent for %v in the middle of an answer", e.Limit)
	case ReasonBody:
		fmt.Fprintf(&b, "the client sent nothing for %v", e.Limit)
	case ReasonBudget:
		fmt.Fprintf(&b, "not started, only %v of the budget left", max(e.Limit, 0))
	case ReasonFull:
		b.WriteString("not started, all slots and the queue are taken")
	case ReasonQueue:
		fmt.Fprintf(&b, "not started, no slot within %v", e.Limit)
	case ReasonOpen:
		b.WriteString("not started, the breaker is open")
	default:
		fmt.Fprintf(&b, "no answer within %v", e.Limit)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Is makes an Error context.DeadlineExceeded, also when it is a refusal: to the caller
// both mean that there is no answer in time. An Error of a whole request is
// [http.ErrHandlerTimeout] as well, which is what writes after the end of
// http.TimeoutHandler return.
func (e *Error) Is(target error) bool {
	return target == context.DeadlineExceeded ||
		target == http.ErrHandlerTimeout && e.Backend == ""
}

// Timeout reports true.
func (e *Error) Timeout() bool { return true }

// Temporary reports true. It is here for clients that still ask for it.
func (e *Error) Temporary() bool { return true }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
