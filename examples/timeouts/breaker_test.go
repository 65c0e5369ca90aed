package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/brownout-go/brownout/timeout"
)

// A breaker of sony/gobreaker stops calls to a backend that fails. Callers that give up
// say nothing about the backend, so they are not counted.
func Example_breaker() {
	ldap, err := timeout.NewBackend(timeout.BackendConfig{
		Name: "ldap",
		Breaker: gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{
			Timeout:     30 * time.Second,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 3 },
			IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) },
		}),
		RetryAfter: 30 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 4 {
		err := ldap.Do(context.Background(), func(context.Context) error { return io.ErrUnexpectedEOF })
		fmt.Println(err)
	}
	// Output:
	// unexpected EOF
	// unexpected EOF
	// unexpected EOF
	// timeout: ldap: not started, the breaker is open: circuit breaker is open
}
