package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// A service with a budget of 50 ms a request, and a backend that hangs.
func Example() {
	limit, err := timeout.New(timeout.Config{Total: 50 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	directory, err := timeout.NewBackend(timeout.BackendConfig{
		Name:  "ldap",
		Call:  20 * time.Millisecond,
		Slots: 10,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	release := make(chan struct{})
	defer close(release)
	lookUp := func(user string) (string, error) { // a client without timeouts
		<-release
		return "", io.EOF
	}

	service := limit.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		name, err := timeout.Call(r.Context(), directory, func(context.Context) (string, error) {
			return lookUp(r.URL.Query().Get("user"))
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "hello %s\n", name)
		return err
	})

	w := httptest.NewRecorder()
	service.ServeHTTP(w, httptest.NewRequest("GET", "/?user=ada", nil))
	fmt.Println(w.Code, "Retry-After:", w.Header().Get("Retry-After"))
	fmt.Println("calls that are stuck:", directory.Stats().Abandoned)
	// Output:
	// 503 Retry-After: 120
	// calls that are stuck: 1
}

// A handler that obeys its context has the grace to give a better answer than 503.
func ExampleLimiter_Handler_grace() {
	limit, err := timeout.New(timeout.Config{
		Total: 200 * time.Millisecond,
		Grace: 150 * time.Millisecond, // generous, for machines that are busy
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := limit.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done() // a backend that hangs
		fmt.Fprint(w, "yesterday's news")
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 yesterday's news
}

// Answers in the service's own format, and a time to come back for each backend.
func ExampleConfig() {
	limit, err := timeout.New(timeout.Config{
		Total: 20 * time.Millisecond,
		RetryAfter: func(err *timeout.Error) time.Duration {
			if err.Backend == "mysql" {
				return 5 * time.Minute
			}
			return 90 * time.Second
		},
		Respond: func(w http.ResponseWriter, r *http.Request, err *timeout.Error) {
			w.Header().Set("Content-Type", "application/problem+json")
			fmt.Fprintf(w, `{"status":503,"title":"%s"}`, err.Reason)
		},
		OnEvent: func(e timeout.Event) { fmt.Println("event:", e.Kind, e.Reason, e.Method, e.Path) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := limit.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(100 * time.Millisecond)
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/report", nil))
	fmt.Println(w.Code, w.Header().Get("Retry-After"), w.Body)
	// Output:
	// event: timeout deadline GET /report
	// 503 90 {"status":503,"title":"deadline"}
}

// A call that could not finish in what is left of the budget is refused before it starts.
func ExampleBackend_Do_budget() {
	cache, err := timeout.NewBackend(timeout.BackendConfig{
		Name:    "memcached",
		Call:    50 * time.Millisecond,
		Reserve: time.Hour, // what the rest of the request needs
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := timeout.WithBudget(context.Background(), time.Minute)
	defer cancel()
	err = cache.Do(ctx, func(context.Context) error {
		fmt.Println("never called")
		return nil
	})
	var limit *timeout.Error
	fmt.Println(errors.As(err, &limit), limit.Backend, limit.Reason, errors.Is(err, context.DeadlineExceeded))
	// Output: true memcached budget true
}
