package control_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/brownout-go/brownout/faultconn/control"
)

// A proxy stands between an application and its backend, and a plan is put in
// force over HTTP while connections are open.
func Example() {
	s := &control.Server{}
	defer s.Close()
	if err := s.Add(control.Proxy{Name: "db", Listen: "localhost:0", Upstream: "localhost:5432"}); err != nil {
		panic(err)
	}
	api := httptest.NewServer(s.Handler())
	defer api.Close()

	req, _ := http.NewRequest("PUT", api.URL+"/v1/proxies/db/plan", strings.NewReader(
		`{"seed": 7, "rules": [{"name": "slow", "chance": 0.2, "fault": {"kind": "delay", "for": "2s"}}]}`))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Print(resp.Status, " ", resp.Header.Get("ETag"), "\n", string(body))
	// Output:
	// 200 OK "2"
	// {"revision":2,"plan":{"seed":7,"rules":[{"name":"slow","chance":0.2,"fault":{"kind":"delay","for":"2s"}}]}}
}
