package toxiproxyclient

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// TestSameReplies sends Toxiproxy and package control the same requests. The
// statuses are the same, and so are the bodies, but for ports, and for the
// details of what is wrong with a body.
func TestSameReplies(t *testing.T) {
	theirs := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	h := httptest.NewServer(theirs.Routes())
	t.Cleanup(func() {
		_ = theirs.Collection.Clear()
		h.Close()
	})
	us, them := serve(t), h.URL
	for _, r := range []string{
		`GET /proxies`,
		`POST /proxies {"name":"db","listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}`,
		`POST /proxies {"name":"db","listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}`,
		`POST /proxies {"name":"off","listen":"127.0.0.1:0","upstream":"127.0.0.1:1","enabled":false}`,
		`POST /proxies {"listen":"127.0.0.1:0","upstream":"127.0.0.1:1"}`,
		`POST /proxies {"name":"x"}`,
		`POST /proxies {`,
		`POST /proxies []`,
		`GET /proxies/db`,
		`GET /proxies/x`,
		`DELETE /proxies/x`,
		`PATCH /proxies/x {}`,
		`POST /proxies/db {"enabled":false}`,
		`PATCH /proxies/db {"enabled":true}`,
		`PATCH /proxies/db {"upstream":"127.0.0.1:2"}`,
		`PATCH /proxies/db {"enabled":"yes"}`,
		`GET /proxies/db/toxics`,
		`POST /proxies/db/toxics {"type":"latency","attributes":{"latency":100,"jitter":10}}`,
		`POST /proxies/db/toxics {"type":"latency"}`,
		`POST /proxies/db/toxics {"type":"latency","stream":"upstream","toxicity":0.5}`,
		`POST /proxies/db/toxics {"type":"bandwidth","name":"slow","attributes":{"rate":10,"other":1}}`,
		`POST /proxies/db/toxics {"type":"slow_close","attributes":{"delay":10}}`,
		`POST /proxies/db/toxics {"type":"timeout"}`,
		`POST /proxies/db/toxics {"type":"reset_peer","attributes":{"TIMEOUT":5}}`,
		`POST /proxies/db/toxics {"type":"slicer","attributes":{"average_size":10,"size_variation":2,"delay":1}}`,
		`POST /proxies/db/toxics {"type":"limit_data","attributes":{"bytes":10}}`,
		`POST /proxies/db/toxics {"type":"noop"}`,
		`POST /proxies/db/toxics {"type":"nothing"}`,
		`POST /proxies/db/toxics {"type":"latency","name":"y","stream":"sideways"}`,
		`POST /proxies/db/toxics {"type":"latency","name":"y","attributes":{"latency":"much"}}`,
		`POST /proxies/db/toxics {"type":"latency","name":"y","attributes":{"latency":1.5}}`,
		`POST /proxies/db/toxics {`,
		`POST /proxies/x/toxics {"type":"noop"}`,
		`GET /proxies/db/toxics`,
		`GET /proxies/db/toxics/slow`,
		`GET /proxies/db/toxics/x`,
		`POST /proxies/db/toxics/slow {"attributes":{"rate":20}}`,
		`PATCH /proxies/db/toxics/slow {"toxicity":0.25}`,
		`PATCH /proxies/db/toxics/slow {"name":"fast","stream":"upstream","type":"noop"}`,
		`PATCH /proxies/db/toxics/slow {"toxicity":"all"}`,
		`PATCH /proxies/db/toxics/x {}`,
		`DELETE /proxies/db/toxics/slow`,
		`DELETE /proxies/db/toxics/slow`,
		`GET /proxies`,
		`POST /reset`,
		`GET /proxies`,
		`POST /populate [{"name":"db","listen":"127.0.0.1:0","upstream":"127.0.0.1:3"},{"name":"new","listen":"127.0.0.1:0","upstream":"127.0.0.1:3","enabled":false}]`,
		`POST /populate [{"upstream":"127.0.0.1:3"}]`,
		`POST /populate [{"name":"x"}]`,
		`POST /populate {`,
		`POST /populate []`,
		`GET /proxies`,
		`DELETE /proxies/db`,
		`GET /nothing`,
		`PUT /proxies`,
		`DELETE /reset`,
	} {
		wantStatus, want := request(t, them, r)
		gotStatus, got := request(t, us, r)
		if gotStatus != wantStatus {
			t.Errorf("%s: status %d, Toxiproxy's is %d: %s", r, gotStatus, wantStatus, got)
		}
		if wantStatus == 404 && !strings.Contains(want, "{") || wantStatus == 405 {
			continue // the routers' own words
		}
		if g, w := tree(got), tree(want); !reflect.DeepEqual(g, w) {
			t.Errorf("%s:\n%s\nToxiproxy says\n%s", r, got, want)
		}
	}
	req, err := http.NewRequest("GET", us+"/proxies", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a browser: %s", resp.Status)
	}
}

func request(t *testing.T, server, line string) (int, string) {
	t.Helper()
	parts := append(strings.SplitN(line, " ", 3), "")
	req, err := http.NewRequest(parts[0], server+parts[1], strings.NewReader(parts[2]))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

var port = regexp.MustCompile(`127\.0\.0\.1:\d{4,}`)

// tree is a body without what may differ.
func tree(body string) any {
	var v any
	if json.Unmarshal([]byte(port.ReplaceAllString(body, "127.0.0.1:port")), &v) != nil {
		return body
	}
	return strip(v)
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "Logger") // is written by accident
		for k, x := range v {
			if text, ok := x.(string); ok && k == "error" {
				v[k], _, _ = strings.Cut(text, ": json")
				if strings.HasPrefix(text, "bad request body") {
					v[k] = "bad request body"
				}
				continue
			}
			v[k] = strip(x)
		}
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	}
	return v
}
