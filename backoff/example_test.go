package backoff_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// An operator asks the clients of a service to come back in 20 seconds.
func Example() {
	ctx := context.Background()
	store := new(backoff.Memory) // memcachestore.New reaches all servers at once

	source, err := backoff.NewSource(backoff.SourceConfig{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()

	ease, err := backoff.Policy{Current: source.Current}.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	server := ease(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	}))

	// What the operator's tool does:
	store.Set(ctx, backoff.Value{Interval: 20 * time.Second})
	source.Refresh(ctx) // only so that the example need not wait a second

	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Header().Get("X-Sync-Poll"))
	// Output: 20
}

// Half of the requests to a service that is going under are refused, with a
// hint when to come back; health checks are not.
func ExamplePolicy_unavailable() {
	trouble := backoff.Value{Interval: time.Minute, Unavailable: 0.5, Note: "database is down to one replica"}
	shed, err := backoff.Policy{
		Current: func() backoff.Value { return trouble },
		Exempt:  []string{"/heartbeat"},
		Seed:    1,
	}.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	server := shed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))

	for _, path := range []string{"/", "/", "/", "/", "/heartbeat", "/heartbeat"} {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(path, w.Code, w.Header()["Retry-After"])
	}
	// Output:
	// / 200 []
	// / 200 []
	// / 200 []
	// / 503 [60]
	// /heartbeat 200 []
	// /heartbeat 200 []
}

// A service that Firefox Sync clients use, with jitter that is the same for a
// device each time.
func ExamplePolicy_headers() {
	ease, err := backoff.Policy{
		Current: func() backoff.Value { return backoff.Value{Interval: 100 * time.Second} },
		Headers: []string{backoff.WeaveBackoff, backoff.XBackoff},
		Jitter:  0.25,
		Client:  func(r *http.Request) string { return r.Header.Get("Device") },
		Seed:    1, // the same on all servers
	}.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	server := ease(http.NotFoundHandler())

	for _, device := range []string{"phone", "laptop", "phone"} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Device", device)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		fmt.Println(device, w.Header().Get("X-Weave-Backoff"), w.Header().Get("X-Backoff"))
	}
	// Output:
	// phone 121 121
	// laptop 109 109
	// phone 121 121
}

// The original App Sync client comes back after five minutes if a refusal says
// when to, and after ten or more if it does not: see RUNBOOK.md. A service that
// has many of them refuses without saying.
func ExamplePolicy_originalClients() {
	shed, err := backoff.Policy{
		Current: func() backoff.Value { return backoff.Value{Unavailable: 1} },
		Refuse: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Retry-After"] = nil // sync.js would come back sooner with it
			w.WriteHeader(http.StatusServiceUnavailable)
		}),
	}.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(shed(http.NotFoundHandler()))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	fmt.Println(response.StatusCode, response.Header["Retry-After"])
	// Output: 503 []
}

// The longer of two opinions wins.
func ExampleMax() {
	operator := func() backoff.Value { return backoff.Value{Interval: time.Minute, Note: "release"} }
	load := func() backoff.Value { return backoff.Value{Interval: 20 * time.Second, Unavailable: 0.1} }
	fmt.Println(backoff.Max(operator, load)())
	// Output: 1m0s, 10% of requests refused (release)
}
