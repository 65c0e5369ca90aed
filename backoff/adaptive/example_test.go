package adaptive_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/adaptive"
)

// A service that can bear two requests a second is called by thirteen clients at
// the same moment. They are asked to come back one after the other.
func Example() {
	control, err := adaptive.New(adaptive.Config{Rate: 2, Min: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	ease, err := backoff.Policy{Current: control.Current}.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	server := ease(control.Handler(http.NotFoundHandler()))

	for range 13 {
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest("GET", "/apps", nil))
	}
	fmt.Println(control.Status().Interval.Round(time.Second))
	// Output: 1m6s
}

// The operator's value and the computed one are sent together: whichever asks
// for more.
func Example_operator() {
	source, err := backoff.NewSource(backoff.SourceConfig{Store: new(backoff.Memory)})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	control, err := adaptive.New(adaptive.Config{Rate: 500, Min: 5 * time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	_, err = backoff.Policy{
		Current: backoff.Max(source.Current, control.Current),
	}.Middleware()
	fmt.Println(err)
	// Output: <nil>
}
