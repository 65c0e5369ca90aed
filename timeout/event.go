package timeout

import (
	"log"
	"runtime/debug"
	"time"
)

// A Kind says what an [Event] is about. The set is closed and small.
type Kind string

// What an Event is about.
const (
	KindTimeout   Kind = "timeout"   // a request was answered 503, or a call was given up, at its limit
	KindRefused   Kind = "refused"   // a call was refused before it started
	KindAborted   Kind = "aborted"   // a response was cut off after its first bytes had gone out
	KindGone      Kind = "gone"      // the client had hung up before the answer was due
	KindFailed    Kind = "failed"    // the error of a handler was answered: 503 or 408 for a limit, else 500
	KindAbandoned Kind = "abandoned" // a call goes on although its caller has been answered
	KindReturned  Kind = "returned"  // an abandoned call has ended
	KindPanic     Kind = "panic"     // a handler or call panicked after it had been given up
)

// An Event is something that happened to a request or to a call to a backend. What it is
// about is in Kind; fields that do not apply are zero.
type Event struct {
	// Kind is what happened.
	Kind Kind

	// Backend names the backend; "" means the request as a whole.
	Backend string

	// Reason is the limit that was met.
	Reason Reason

	// Limit and Elapsed are those of [Error]; for KindReturned Elapsed is how long it
	// took in all.
	Limit, Elapsed time.Duration

	// Method and Path are the request's, if there is one. Path comes from the client: it
	// may be long and may hold anything.
	Method, Path string

	// Status is what KindFailed answered.
	Status int

	// Incident is the id that the client was shown in the body of the response.
	Incident string

	// Err is the error behind the event, or nil.
	Err error

	// Panic is the value of a panic, and Stack the stack it came from.
	Panic any
	Stack []byte
}

// tell calls an OnEvent. It may be running on a timer, where a panic would end the
// process.
func (e Event) tell(onEvent func(Event)) {
	if onEvent == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			log.Printf("timeout: panic in OnEvent for %q: %v\n%s", e.Kind, v, debug.Stack())
		}
	}()
	onEvent(e)
}
