package toxiproxyclient

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2/client"

	"github.com/brownout-go/brownout/internal/testserver"
)

// TestGoClient makes every call of the Go client.
func TestGoClient(t *testing.T) {
	upstream := testserver.Echo(t)
	c := toxiproxy.NewClient(serve(t))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if v, err := c.Version(); err != nil || !strings.Contains(string(v), `"2.`) {
		t.Errorf("Version: %s, %v", v, err)
	}
	p, err := c.CreateProxy("db", "127.0.0.1:0", upstream)
	must(err)
	must(exchange(p.Listen))

	toxic, err := p.AddToxic("", "latency", "", -1, toxiproxy.Attributes{"latency": 80, "jitter": 10})
	must(err)
	if toxic.Name != "latency_downstream" || toxic.Stream != "downstream" || toxic.Toxicity != 1 {
		t.Errorf("AddToxic: %+v", toxic)
	}
	start := time.Now()
	must(exchange(p.Listen))
	if took := time.Since(start); took < 70*time.Millisecond {
		t.Errorf("latency of 80±10 ms: an exchange took %v", took)
	}
	toxic, err = p.UpdateToxic("latency_downstream", 0.25, toxiproxy.Attributes{"latency": 1})
	must(err)
	if toxic.Toxicity != 0.25 || fmt.Sprint(toxic.Attributes) != "map[jitter:10 latency:1]" {
		t.Errorf("UpdateToxic: %+v", toxic)
	}
	toxics, err := p.Toxics()
	must(err)
	if len(toxics) != 1 {
		t.Errorf("Toxics: %+v", toxics)
	}
	must(p.RemoveToxic("latency_downstream"))
	var api *toxiproxy.ApiError
	if err := p.RemoveToxic("latency_downstream"); !errors.As(err, &api) || api.Status != 404 || api.Message != "toxic not found" {
		t.Errorf("RemoveToxic again: %v", err)
	}

	o := &toxiproxy.ToxicOptions{ProxyName: "db", ToxicName: "cut", ToxicType: "limit_data", Stream: "upstream", Toxicity: 1, Attributes: toxiproxy.Attributes{"bytes": 2}}
	_, err = c.AddToxic(o)
	must(err)
	if exchange(p.Listen) == nil {
		t.Error("an exchange passes limit_data of 2")
	}
	o.Attributes = toxiproxy.Attributes{"bytes": 1 << 20}
	_, err = c.UpdateToxic(o)
	must(err)
	must(exchange(p.Listen))
	must(c.RemoveToxic(o))

	must(p.Disable())
	if exchange(p.Listen) == nil {
		t.Error("a disabled proxy passes an exchange")
	}
	must(p.Enable())
	must(exchange(p.Listen))
	p.Upstream = "127.0.0.1:1"
	must(p.Save())
	if exchange(p.Listen) == nil {
		t.Error("an exchange passes to a port nobody listens on")
	}
	p.Upstream = upstream
	must(p.Save())

	all, err := c.Proxies()
	must(err)
	one, err := c.Proxy("db")
	must(err)
	if len(all) != 1 || all["db"].Listen != one.Listen || one.Upstream != upstream {
		t.Errorf("Proxies: %+v, Proxy: %+v", all, one)
	}
	n := c.NewProxy()
	n.Name, n.Listen, n.Upstream, n.Enabled = "new", "127.0.0.1:0", upstream, true
	must(n.Save())
	made, err := c.Populate([]toxiproxy.Proxy{
		{Name: "db", Listen: p.Listen, Upstream: upstream, Enabled: true},
		{Name: "third", Listen: "127.0.0.1:0", Upstream: upstream, Enabled: true, ActiveToxics: toxiproxy.Toxics{{Type: "noop"}}},
	})
	must(err)
	if len(made) != 2 || made[0].Listen != p.Listen || len(made[1].ActiveToxics) != 1 {
		t.Errorf("Populate: %+v", made)
	}
	must(one.Disable())
	must(c.ResetState())
	must(exchange(p.Listen))
	must(n.Delete())
	if _, err := c.Proxy("new"); !errors.As(err, &api) || api.Message != "proxy not found" {
		t.Errorf("Proxy after Delete: %v", err)
	}

	resp, err := http.Get(serve(t) + "/metrics")
	must(err)
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("/metrics: %s", resp.Status)
	}
}

// exchange sends a line through a proxy and wants it back.
func exchange(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return err
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && got != "hello\n" {
		err = fmt.Errorf("got %q", got)
	}
	return err
}
