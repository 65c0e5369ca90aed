package timeout

import (
	"fmt"
	"log"
	"net/http"
	"runtime"
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

// again goes on with the panic on another goroutine: with the value itself where its
// identity is its meaning.
func (c *crash) again() {
	switch c.value {
	case nil:
		runtime.Goexit() // it was no panic
	case http.ErrAbortHandler:
		panic(http.ErrAbortHandler)
	default:
		panic(c)
	}
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
