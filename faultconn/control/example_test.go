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

// Clients for Toxiproxy find its API, in a Go program without another process.
func ExampleServer_Toxiproxy() {
	s := &control.Server{}
	defer s.Close()
	toxiproxy := httptest.NewServer(s.Toxiproxy())
	defer toxiproxy.Close()

	// toxiproxy.NewClient(toxiproxy.URL) of its Go client makes calls like these.
	post := func(path, body string) {
		resp, err := http.Post(toxiproxy.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		fmt.Print(resp.StatusCode, " ", string(text))
	}
	post("/proxies", `{"name": "db", "upstream": "localhost:5432", "enabled": false, "listen": "localhost:5433"}`)
	post("/proxies/db/toxics", `{"type": "latency", "attributes": {"latency": 100}}`)
	// Output:
	// 201 {"name":"db","listen":"localhost:5433","upstream":"localhost:5432","enabled":false,"toxics":[]}
	// 200 {"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1,"attributes":{"jitter":0,"latency":100}}
}

// The file of a Toxiproxy server becomes proxies of ours, toxics included.
func ExampleFromToxiproxy() {
	proxies, warnings, err := control.FromToxiproxy([]byte(`[{
		"name": "db", "listen": "localhost:5433", "upstream": "db:5432",
		"toxics": [{"type": "bandwidth", "attributes": {"rate": 100, "burst": 5}}]
	}]`))
	if err != nil {
		panic(err)
	}
	for _, p := range proxies {
		fmt.Println(p.Name, p.Listen, p.Upstream, p.Toxics[0].Type, p.Toxics[0].Attributes)
	}
	for _, w := range warnings {
		fmt.Println("warning:", w)
	}
	// Output:
	// db localhost:5433 db:5432 bandwidth map[rate:100]
	// warning: db: toxic 1: attributes: "burst": has no equal
}
