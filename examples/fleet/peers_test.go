package main

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	exponential "github.com/cenkalti/backoff/v5"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/adaptive"
)

// An exponential backoff of cenkalti/backoff says when to try again, where the
// service does not.
func Example_exponentialFallback() {
	attempts := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if attempts++; attempts < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer service.Close()

	client := &http.Client{Transport: &backoff.Transport{
		Base: service.Client().Transport,
		Retry: &backoff.Retry{Fallback: func() backoff.Delays {
			delays := exponential.NewExponentialBackOff()
			delays.InitialInterval = time.Millisecond
			return delays
		}},
	}}
	response, err := client.Get(service.URL)
	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	fmt.Println(response.StatusCode, "after", attempts, "attempts")
	// Output: 200 after 3 attempts
}

// The adaptive limiter of failsafe-go finds out how many requests at a time a
// service can bear, and how full it is becomes the signal of how long clients
// should wait.
func Example_limiterAsSignal() {
	limiter := adaptivelimiter.NewBuilder[any]().WithLimits(1, 10, 4).Build()
	control, err := adaptive.New(adaptive.Config{
		Load: func() float64 { return float64(limiter.Inflight()+limiter.Queued()) / float64(limiter.Limit()) },
		Min:  5 * time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	ease, err := backoff.Policy{Current: control.Current}.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	server := ease(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		permit, ok := limiter.TryAcquirePermit()
		if !ok {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		defer permit.Record()
		fmt.Fprintln(w, "served, load", control.Status().Load)
	}))
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Print(w.Body)
	// Output: served, load 0
}
