package timeout

import (
	"fmt"
	"log"
	"net/http"
)

// A crash is a panic that changed goroutines.
type crash struct {
	value any
	stack []byte
}

func (c *crash) Error() string { return fmt.Sprintf("%v\n\n%s", c.value, c.stack) }

func (c *crash) Unwrap() error {
	err, _ := c.value.(error)
	return err
}

// panicked reports a panic that nobody is left to receive, the way the server would have.
func (l *Limiter) panicked(r *http.Request, value any, stack []byte) {
	l.emit(Event{Kind: KindPanic, Method: r.Method, Path: r.URL.Path, Panic: value, Stack: stack})
	logf := log.Printf
	if s, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && s.ErrorLog != nil {
		logf = s.ErrorLog.Printf
	}
	logf("timeout: panic serving %v after its deadline: %v\n%s", r.RemoteAddr, value, stack)
}
