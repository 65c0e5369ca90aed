package control_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/brownout-go/brownout/faultconn/control"
)

// A program's own handler beside the API: whoever may not call the one can't
// call the other.
func ExampleServer_Guard() {
	s := &control.Server{Token: "secret"}
	defer s.Close()
	if err := s.Add(control.Proxy{Name: "db", Upstream: "localhost:5432"}); err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler())
	mux.Handle("GET /traffic", s.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, t := range s.Totals() {
			fmt.Fprintf(w, "%s: %d connections, %d bytes up, %d down, %d faults\n", t.Proxy, t.Connections, t.Up, t.Down, t.Faults)
		}
	})))

	for _, authorization := range []string{"", "Bearer secret"} {
		r := httptest.NewRequest("GET", "/traffic", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 401 {"error":"a bearer token is needed: Authorization: Bearer TOKEN","status":401}
	// 200 db: 0 connections, 0 bytes up, 0 down, 0 faults
}
