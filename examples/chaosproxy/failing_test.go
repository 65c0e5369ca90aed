package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/chromedp/chromedp"

	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/faultconn/proxy"
	"github.com/brownout-go/brownout/internal/testserver"
)

// TestFailing tells what goes wrong without anybody having asked for it from
// what faults and commands do.
func TestFailing(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	synctest.Test(t, func(t *testing.T) {
		totals := func() []control.Total { return []control.Total{{Proxy: "db"}} }
		line := played(2, totals, func(line *timeline, i int) {
			if i > 0 {
				return
			}
			for _, e := range []proxy.Event{
				{Kind: proxy.DialFailed, Err: errors.New("not the last")},
				{Kind: proxy.DialFailed, Err: refused},
				{Kind: proxy.DialFailed, Err: refused, Conn: proxy.Info{Faults: 1}},
				{Kind: proxy.DialFailed, Err: fmt.Errorf("dial: %w", context.Canceled)},
				{Kind: proxy.Broken, Err: syscall.ECONNRESET},
				{Kind: proxy.Opened},
			} {
				e.Proxy = "db"
				line.conn(e)
			}
		})
		seconds := line.since(0, []string{"db"})
		if got := seconds[0].Proxies["db"].Failed; got == nil || *got != (failures{2, "dial: connection refused"}) {
			t.Errorf("the first second has %v", got)
		}
		if got := seconds[1].Proxies["db"].Failed; got != nil {
			t.Errorf("the next one has %v", got)
		}
	})
}

// TestPageUpstreamDown points out an upstream that is not there, on the page
// and in the log, and a blackout only as the fault it is.
func TestPageUpstreamDown(t *testing.T) {
	b := newBrowser(t)
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", freePort(t), "-log")
	b.do(chromedp.Navigate(p.control))
	b.untilSays("#name", "proxy")
	p.call("PUT", "/v1/proxies/proxy/plan", `{"rules":[{"name":"dark","fault":{"kind":"blackout"}}]}`)
	if got, err := try(t, p.listen["proxy"]); err == nil {
		t.Errorf("through a blackout: %q", got)
	}
	b.untilSays("#log", "dark: blackout")
	if b.text(`String(document.getElementById('failing').hidden)`) != "true" {
		t.Errorf("a fault is taken for a failure: %s", b.says("#failing"))
	}

	p.call("DELETE", "/v1/proxies/proxy/plan", "")
	if got, err := try(t, p.listen["proxy"]); err == nil {
		t.Errorf("without an upstream: %q", got)
	}
	b.untilSays("#failing", "1 client got no connection")
	b.untilSays("#failing", "connection refused")
	b.untilSays("#proxies .badge", "dials failed")
	b.photo("upstream-down")
	p.call("PATCH", "/v1/proxies/proxy", `{"upstream":"`+testserver.Echo(t)+`"}`)
	if got, err := try(t, p.listen["proxy"]); got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	b.clean(p.control)
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if got := p.Log(); strings.Count(got, "dial-failed") != 1 || !strings.Contains(got, "connection refused") {
		t.Errorf("the log has not told of one failure: %s", got)
	}
}
