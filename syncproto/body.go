package syncproto

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// body reads the request, whatever its Content-Type says: the first clients
// set none. One that is announced as too long is not waited for: a client that
// is slow would never get beyond a 503 that asks it to send the same again.
func (x *exchange) body(most int64) ([]byte, *refusal) {
	var b []byte
	err := error(&http.MaxBytesError{Limit: most})
	if x.r.ContentLength <= most {
		b, err = io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, most))
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &refusal{http.StatusRequestEntityTooLarge, CodeTooLarge, fmt.Sprintf("the body has more than %d bytes", most)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &refusal{http.StatusRequestTimeout, CodeJSON, "the body did not come in time"}
	}
	if err != nil {
		return nil, bad(CodeJSON, "the body ended early")
	}
	return b, nil
}

// linger takes in a body that was refused unread, once its client has the answer,
// for many look for that only when they have sent everything, and find the
// connection reset instead. Twice what they may send is enough of that.
func (x *exchange) linger() {
	if x.r.Header.Get("Expect") != "" { // it waits to be told
		return
	}
	if err := http.NewResponseController(x.w).Flush(); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, x.r.Body, 2*x.cfg.Limits.Body)
}
