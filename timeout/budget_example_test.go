package timeout_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// Reports may take a minute, everything else two seconds.
func ExampleConfig_budget() {
	limit, err := timeout.New(timeout.Config{
		Total: 2 * time.Second,
		Budget: func(r *http.Request) time.Duration {
			if strings.HasPrefix(r.URL.Path, "/reports/") {
				return time.Minute
			}
			return 0 // Total
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	handler := limit.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		left, _ := timeout.Remaining(r.Context())
		fmt.Println(r.URL.Path, left.Round(time.Second))
	}))
	for _, path := range []string{"/", "/reports/2026"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	// Output:
	// / 2s
	// /reports/2026 57s
}
