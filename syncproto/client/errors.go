package client

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// A StatusError is an answer that the device did not expect.
type StatusError struct {
	Op         string // "login", "pull", "push" or "delete"
	Status     int
	Reason     string        // what the server said
	RetryAfter time.Duration // zero if the server didn't say
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("client: %s: status %d %s", e.Op, e.Status, http.StatusText(e.Status))
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if e.RetryAfter > 0 {
		s += fmt.Sprintf(" (come back in %v)", e.RetryAfter)
	}
	return s
}

// A DeletedError says that some device deleted the collection. The documents
// are still here: [Device.Forget] drops them, [Device.Revive] makes the
// collection anew of them.
type DeletedError struct{ syncproto.Deletion }

func (e *DeletedError) Error() string {
	return fmt.Sprintf("client: the collection was deleted by %q: %q", e.ClientID, e.Reason)
}

// ErrBusy says that others wrote before each of a sync's pushes. What was
// changed here is kept; sync again later.
var ErrBusy = errors.New("client: others keep writing: sync again later")
