package timeout_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// A service with a budget of two seconds a request, and a backend that hangs.
func Example() {
	limit, err := timeout.New(timeout.Config{Total: 2 * time.Second})
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
		Total: 2050 * time.Millisecond,
		Grace: 2 * time.Second, // generous, for machines that are busy
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
		<-r.Context().Done() // a report that would take longer
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

// A handler that returns an error leaves the answer to the Limiter.
func ExampleLimiter_HandlerFunc() {
	limit, err := timeout.New(timeout.Config{Respond: timeout.Problem})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := limit.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return &timeout.Error{Backend: "ldap", Reason: timeout.ReasonDeadline, RetryAfter: time.Minute}
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"), w.Header().Get("Retry-After"))
	// Output: 503 application/problem+json 60
}

// A dial function, for clients that take one. Their connections are limited too.
func ExampleBackend_DialContext() {
	cache, err := timeout.NewBackend(timeout.BackendConfig{Name: "memcached", Dial: 50 * time.Millisecond, Call: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	dial := cache.DialContext(func(ctx context.Context, network, addr string) (net.Conn, error) {
		<-ctx.Done() // a network that swallows everything
		return nil, ctx.Err()
	})
	_, err = dial(context.Background(), "tcp", "cache:11211")
	fmt.Println(err)
	// Output: timeout: memcached: no connection within 50ms: context deadline exceeded
}

// A connection, for code that speaks a protocol itself. What hangs here is the server's answer.
func ExampleBackend_Conn() {
	smtp, err := timeout.NewBackend(timeout.BackendConfig{Name: "smtp", Call: 50 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go io.Copy(io.Discard, far) // hears all and says nothing
	conn := smtp.Conn(near)
	fmt.Fprint(conn, "EHLO example.org\r\n")
	_, err = conn.Read(make([]byte, 512))
	var limit *timeout.Error
	fmt.Println(errors.As(err, &limit), limit.Reason, errors.Is(err, os.ErrDeadlineExceeded))
	// Output: true deadline true
}

// An http.RoundTripper, for calls to other services.
func ExampleBackend_Transport() {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-done }))
	defer server.Close()
	defer close(done)

	tokens, err := timeout.NewBackend(timeout.BackendConfig{Name: "tokens", Call: 50 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: tokens.Transport(nil)}
	_, err = client.Get(server.URL)
	var limit *timeout.Error
	fmt.Println(errors.As(err, &limit), limit.Backend, limit.Reason)
	// Output: true tokens deadline
}

// A database behind database/sql. Everything a *sql.DB does is held to the policy.
func ExampleBackend_Connector() {
	var connector driver.Connector = hungDatabase{} // else mysql.NewConnector, stdlib.GetConnector ...

	accounts, err := timeout.NewBackend(timeout.BackendConfig{Name: "accounts", Dial: 50 * time.Millisecond, Slots: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	db := sql.OpenDB(accounts.Connector(connector))
	defer db.Close()
	_, err = db.Exec("UPDATE users SET seen = 1")
	fmt.Println(err)
	// Output: timeout: accounts: no connection within 50ms
}

// hungDatabase accepts connections and never greets them.
type hungDatabase struct{ driver.Connector }

func (hungDatabase) Connect(ctx context.Context) (driver.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A job outside of a request has a budget of its own.
func ExampleWithBudget() {
	ctx, cancel := timeout.WithBudget(context.Background(), time.Minute)
	defer cancel()
	left, ok := timeout.Remaining(ctx)
	fmt.Println(left > 59*time.Second, ok)
	// Output: true true
}

// Events go out as they happen for as long as the client reads: the total is for the first byte only.
func ExampleConfig_stream() {
	limit, err := timeout.New(timeout.Config{
		Total:     time.Second,
		Stream:    -1, // for ever
		WriteIdle: time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	news := make(chan string)
	go func() {
		defer close(news)
		for i := range 4 {
			news <- fmt.Sprint("item ", i)
		}
	}()
	server := httptest.NewServer(limit.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for item := range news {
			fmt.Fprintf(w, "data: %s\n", item)
			w.(http.Flusher).Flush()
		}
	})))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	_, err = io.Copy(os.Stdout, res.Body)
	fmt.Println(err)
	// Output:
	// data: item 0
	// data: item 1
	// data: item 2
	// data: item 3
	// <nil>
}
