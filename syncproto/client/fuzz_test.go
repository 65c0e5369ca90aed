package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto/client"
)

// canned answers a login as it should be, and everything else with the same.
type canned struct {
	status int
	body   string
	asked  int
}

func (c *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := c.status, c.body
	if strings.HasSuffix(r.URL.Path, "/verify") {
		status, body = 200, `{"collection_url":"http://sync/collections/ann@example.com/apps","http_authorization":"x"}`
	}
	c.asked++
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// Whatever a server answers, a sync ends, what was changed here and not
// acknowledged is kept, and what is stored can be opened again.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"since":0.00,"uuid":"u","applications":[{"origin":"a"}],"until":1.00}`,
		`{"since":0.00,"uuid":"u","applications":[],"until":0.00,"incomplete":true}`,
		`{"uuid":"u","applications":[{"origin":"mine","deleted":true}],"until":5,"received":5}`,
		`{"uuid":null,"applications":[{},1,null,{"origin":""},{"origin":"a","deleted":1}],"until":-1.005}`,
		`{"collection_deleted":{"client_id":"x","reason":"y"}}`, `{"received":-1}`, `{"until":1e999}`, `[]`, `null`, ``,
	} {
		f.Add(200, body)
		f.Add(412, body)
	}
	f.Add(401, `{"reason":"log in first"}`)
	f.Add(413, `{"code":5,"msg":"too much"}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		server, d := &canned{status: status, body: body}, new(disk)
		config := client.Config{
			URL: "http://sync", HTTP: &http.Client{Transport: server}, Storage: d,
			Login: func(context.Context) (string, string, error) { return "ann@example.com", "x", nil },
		}
		device := open(t, config)
		mine := `{"origin":"mine","n":1}`
		set(t, device, mine)
		for range 2 {
			server.asked = 0
			_, err := device.Sync(t.Context())
			if err == nil && status != 200 {
				t.Errorf("status %d is no error", status)
			}
			if server.asked > 200 {
				t.Errorf("%d requests", server.asked)
			}
			if device.Pending() > 0 && string(device.Get("mine")) != mine {
				t.Errorf("what was changed here is %s", device.Get("mine"))
			}
			again := open(t, config)
			if !maps.EqualFunc(device.All(), again.All(), func(a, b json.RawMessage) bool { return string(a) == string(b) }) || device.Pending() != again.Pending() {
				t.Errorf("it has %s, and opened again %s", device.All(), again.All())
			}
		}
	})
}

// A server that gives another uuid with each page, or pages that lead nowhere, as
// a cache in between may, does not keep a device busy for ever.
func TestPullEnds(t *testing.T) {
	for name, body := range map[string]func(n int) string{
		"another uuid": func(n int) string {
			return fmt.Sprintf(`{"uuid":"%d","applications":[],"until":%d,"incomplete":true}`, n, n)
		},
		"no uuid": func(n int) string {
			return fmt.Sprintf(`{"uuid":%s,"applications":[],"until":%d,"incomplete":true}`, []string{"null", `"u"`}[n%2], n)
		},
		"nothing": func(n int) string {
			return fmt.Sprintf(`{"uuid":"u","applications":[],"until":%d,"incomplete":true}`, n)
		},
		"the same": func(int) string { return `{"uuid":"u","applications":[],"until":1.00,"incomplete":true}` },
		"backwards": func(n int) string {
			return fmt.Sprintf(`{"uuid":"u","applications":[],"until":%d,"incomplete":true}`, 50-n)
		},
	} {
		server := &changing{body: body}
		device := open(t, client.Config{
			URL: "http://sync", HTTP: &http.Client{Transport: server},
			Login: func(context.Context) (string, string, error) { return "ann@example.com", "x", nil },
		})
		if _, err := device.Sync(t.Context()); err == nil || server.n > 30 {
			t.Errorf("%s: %v after %d requests", name, err, server.n)
		}
	}
}

type changing struct {
	n    int
	body func(int) string
}

func (c *changing) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n++
	return (&canned{status: 200, body: c.body(c.n)}).RoundTrip(r)
}
