package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/brownout-go/brownout/internal/testserver"
)

// hostile is a name that would run a script if it were ever HTML, and that no
// address has a place for.
const hostile = `<img/src=x/onerror=alert(1)>"'&?#%/..`

// choose picks an option of a select, as with the keyboard.
func (b *browser) choose(selector, option string) {
	b.Helper()
	b.do(chromedp.SendKeys(selector, option, chromedp.ByQuery))
	if got := b.text(fmt.Sprintf("document.querySelector(%q).value", selector)); got != option {
		b.Errorf("%s: chose %s, and it has %s", selector, option, got)
	}
}

// TestPage operates the page as a person does, during a load test.
func TestPage(t *testing.T) {
	b := newBrowser(t)
	config, err := json.Marshal(map[string]any{"proxies": []map[string]any{
		{"name": "db", "listen": "127.0.0.1:0", "upstream": testserver.Echo(t), "plan": json.RawMessage(`{"seed": 18446744073709551615}`)},
		{"name": hostile, "listen": "127.0.0.1:0", "upstream": testserver.Echo(t), "plan": json.RawMessage(`{"rules":[{"name":"<b>bold</b>","fault":{"kind":"reset"},"off":true}]}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	args := []string{"-control", port, "-config", write(t, "chaos.json", string(config))}
	p := start(t, 2, args...)
	db := p.listen["db"]
	traffic := startLoad(t, db)

	b.do(chromedp.Navigate(p.control))
	b.untilSays("#link", "live")
	if got := b.text(`[...document.querySelectorAll('#proxies .name')].map(e => e.textContent).join(' and ')`); got != hostile+" and db" {
		t.Errorf("it lists %s", got)
	}
	b.click(`#proxies li:nth-child(2) a`)
	b.untilSays("#name", "db")

	t.Run("it shows traffic", func(t *testing.T) {
		b := b.in(t)
		b.until(`document.querySelectorAll('#connections tbody tr').length === 3`)
		if got := b.says("#connections tbody tr"); !strings.Contains(got, "127.0.0.1:") || !strings.Contains(got, "open") {
			t.Errorf("a connection: %s", got)
		}
		b.until(`/^[1-9]/.test(document.getElementById('now-down').textContent)`)
		b.until(`document.getElementById('chart').dataset.points > 3`)
		b.until(`/L/.test(document.querySelector('#chart .line.down').getAttribute('d'))`)
		if got := b.text(`document.querySelector('#chart .bars').getAttribute('d')`); got != "" {
			t.Errorf("without a fault there are bars: %s", got)
		}
	})

	t.Run("a fault is added", func(t *testing.T) {
		b := b.in(t)
		b.click("#add-fault")
		b.until(`document.getElementById('fault-dialog').open`)
		b.choose("#fault-fields select[name=kind]", "garbage")
		b.put("#fault-fields input[name=bytes]", "7")
		b.choose("#fault-fields select[name=kind]", "reset")
		b.put("#rule-percent", "50")
		b.untilSays("#fault-preview", `"chance": 0.5`)
		b.photo("form")
		b.click("#fault-dialog .main")
		b.until(`!document.getElementById('fault-dialog').open`)
		b.untilMore(&traffic.bad, "fails")
		b.until(`parseInt(document.querySelector('#rules .hits').textContent) > 3`)
		b.untilSays("#rules .what", "reset · 50 % of exchanges")
		b.until(`/M/.test(document.querySelector('#chart .bars').getAttribute('d'))`)
		b.untilSays("#log", "reset: reset on db")
		b.untilSays("#log", ", of 127.0.0.1:")
		if got := p.call("GET", "/v1/proxies/db/plan", ""); got != `{"revision":2,"plan":{"seed":18446744073709551615,"rules":[{"name":"reset","chance":0.5,"fault":{"kind":"reset"}}]}}` {
			t.Errorf("the plan is %s", got)
		}
	})

	t.Run("a form has every option", func(t *testing.T) {
		b := b.in(t)
		b.click("#add-fault")
		b.until(`document.getElementById('fault-dialog').open`)
		b.choose("#fault-fields select[name=kind]", "on")
		b.put("#fault-fields input[name=commands]", "GET, PUT")
		b.put("#fault-fields input[name=protocol]", "http")
		b.choose("#fault-fields .fault .fault select[name=kind]", "delay")
		b.put("#fault-fields .fault .fault input[name=for]", "1s")
		b.click("#fault-fields summary")
		b.put("#fault-fields input[name=conns]", "1, 3")
		b.click("#fault-fields input[name=perConn]")
		b.click("#rule-on")
		b.put("#rule-name", "GETs")
		b.photo("form-on")
		b.click("#fault-dialog .main")
		b.until(`!document.getElementById('fault-dialog').open`)
		want := `{"name":"GETs","select":{"conns":[1,3]},"when":{"perConn":true},"fault":{"kind":"on","protocol":"http","messages":{"commands":["GET","PUT"]},"fault":{"kind":"delay","for":"1s"}},"off":true}`
		if got := p.call("GET", "/v1/proxies/db/plan", ""); !strings.Contains(got, want) {
			t.Errorf("the plan is %s, want %s", got, want)
		}
		b.click(`#rules button[aria-label="Remove rule GETs"]`)
		b.until(`document.querySelectorAll('#rules li').length === 1`)
	})

	t.Run("the timeline can be read", func(t *testing.T) {
		b := b.in(t)
		b.do(chromedp.Focus("#chart", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowLeft))
		b.untilSays("#readout", "connection")
		b.until(`document.querySelector('#chart .cursor') !== null`)
		b.do(chromedp.KeyEvent(kb.Escape))
		b.untilSays("#readout", "Up is what clients send")
	})

	t.Run("a fault is switched off and on", func(t *testing.T) {
		b := b.in(t)
		const box = `#rules input[aria-label="Rule reset"]`
		b.click(box)
		b.until(`document.querySelector('#rules li.off') !== null`)
		b.untilMore(&traffic.good, "passes")
		bad := traffic.bad.Load()
		b.untilMore(&traffic.good, "passes")
		if got := traffic.bad.Load(); got != bad {
			t.Errorf("%d exchanges have failed since", got-bad)
		}
		b.do(chromedp.Reload()) // what is off survives it
		b.until(`document.querySelector('#rules li.off input')?.checked === false`)
		if got := b.says("#name"); got != "db" {
			t.Errorf("after it was loaded anew it shows %s", got)
		}
		if got := b.text(`document.getElementById('chart').dataset.points > 3`); got != "true" {
			t.Error("it has forgotten the timeline")
		}
		b.click(box)
		b.untilMore(&traffic.bad, "fails")
		p.call("PUT", "/v1/proxies/db/plan", `{"seed":18446744073709551615,"rules":[{"name":"reset","chance":0.5,"fault":{"kind":"reset"}},{"name":"late","fault":{"kind":"delay","for":"1ms"}}]}`)
		b.until(`parseInt(document.querySelector('#rules .hits').textContent) > 20`)
		b.click(`#rules input[aria-label="Rule late"]`)
		b.until(`document.querySelector('#rules li.off') !== null`)
		if got := b.text(`parseInt(document.querySelector('#rules .hits').textContent) > 20`); got != "true" {
			t.Error("a rule counts anew when another is switched off")
		}
		b.click(`#rules button[aria-label="Remove rule late"]`)
		b.until(`document.querySelectorAll('#rules li').length === 1`)
		b.click(`#rules button[aria-label="Remove rule reset"]`)
		b.until(`document.querySelectorAll('#rules li').length === 0`)
		b.untilMore(&traffic.good, "passes")
	})

	t.Run("from normal to total blackout", func(t *testing.T) {
		b := b.in(t)
		b.until(`document.querySelector('#levels [value=Normal]').ariaPressed === 'true'`)
		b.click(`#levels [value="Bad"]`)
		b.untilSays("#rules .what", "30 % delay")
		b.untilMore(&traffic.bad, "fails")
		b.photo("bad")
		idle := dial(t, db) // may be hit; what it reads is the end in any case
		b.click(`#levels [value="Total blackout"]`)
		b.untilSays("#rules .what", "blackout")
		if _, err := idle.in.ReadByte(); err == nil {
			t.Error("an idle connection survives a blackout")
		}
		if got, err := try(t, db); err == nil {
			t.Errorf("through a blackout: %q", got)
		}
		b.until(`document.querySelector('#levels [value="Total blackout"]').ariaPressed === 'true'`)
		b.click(`#levels [value="Normal"]`)
		b.untilMore(&traffic.good, "passes")
		b.until(`document.querySelector('#levels [value=Normal]').ariaPressed === 'true' && document.querySelectorAll('#rules li').length === 0`)
	})

	t.Run("one connection", func(t *testing.T) {
		b := b.in(t)
		c := dial(t, db)
		if got, err := c.ask("hello"); got != "hello" {
			t.Fatal(got, err)
		}
		b.put("#connection-filter", c.LocalAddr().String())
		const row = `#connections tbody tr`
		b.until(`document.querySelectorAll('#connections tbody tr').length === 1`)
		b.untilSays(row, c.LocalAddr().String())
		b.click(row + " .hold.down")
		b.untilSays(row, "held down")
		if _, err := fmt.Fprintln(c, "two"); err != nil {
			t.Fatal(err)
		}
		b.until(`document.querySelector('#connections tbody tr').cells[5].textContent === '10 B'`) // it has gone up
		b.click(row + ` button[aria-label^="Let one chunk down"]`)
		if got, err := c.in.ReadString('\n'); got != "two\n" {
			t.Errorf("after a step: %q, %v", got, err)
		}
		b.click(row + " .hold.down")
		b.until(`!document.querySelector('#connections tbody tr').textContent.includes('held')`)
		if got, err := c.ask("three"); got != "three" {
			t.Errorf("released: %q, %v", got, err)
		}
		b.click(row + ` button[aria-label^="Reset"]`)
		if _, err := c.in.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after a reset: %v", err)
		}
		b.untilSays("#connections-more", "None matches")
		b.put("#connection-filter", "")
	})

	t.Run("the plan as JSON", func(t *testing.T) {
		b := b.in(t)
		before := p.call("GET", "/v1/proxies/db/plan", "")
		b.click("#edit-plan")
		b.until(`document.getElementById('plan-dialog').open`)
		if got := b.text(`document.getElementById('plan-text').value`); !strings.Contains(got, `"seed": 18446744073709551615`) {
			t.Errorf("to be edited: %s", got)
		}
		b.put("#plan-text", `{"rules":[{"fault":{"kind":"nap"}}]}`)
		b.click("#plan-dialog .main")
		b.untilSays("#plan-dialog .error", "must be one of")
		b.photo("plan")
		if after := p.call("GET", "/v1/proxies/db/plan", ""); after != before {
			t.Errorf("a bad plan has changed %s to %s", before, after)
		}
		b.put("#plan-text", `{"rules":[{"fault":{"kind":"hang"},"off":true}]}`)
		p.call("PUT", "/v1/proxies/db/plan", "{}") // by somebody else, meanwhile
		b.click("#plan-dialog .main")
		b.untilSays("#plan-dialog .error", "read it and try again")
		b.click("#plan-reload")
		b.until(`document.getElementById('plan-text').value === '{}'`)
		b.put("#plan-text", `{"rules":[{"fault":{"kind":"hang"},"off":true}]}`)
		b.click("#plan-dialog .main")
		b.untilSays("#rules .what", "rule 1hang · always")
		b.click(`#rules button`)
		b.until(`document.querySelectorAll('#rules li').length === 0`)
	})

	t.Run("toxics are shown", func(t *testing.T) {
		b := b.in(t)
		p.call("POST", "/proxies/db/toxics", `{"name":"late","type":"latency","attributes":{"latency":5}}`)
		b.untilSays("#rules", "late")
		b.untilSays("#rules .badge", "toxic or behavior")
		b.untilSays("#proxies li:nth-child(2) .badge", "1 fault")
		p.call("DELETE", "/proxies/db/toxics/late", "")
		b.until(`document.querySelectorAll('#rules li').length === 0`)
	})

	t.Run("a scenario", func(t *testing.T) {
		b := b.in(t)
		b.click("#start-scenario")
		b.put("#scenario-text", `{"steps":[]}`)
		b.click("#scenario-dialog .main")
		b.untilSays("#scenario-dialog .error", "steps: missing")
		b.do(chromedp.Evaluate(`const t = document.getElementById('scenario-template'); t.selectedIndex = 3; t.dispatchEvent(new Event('change'))`, nil))
		b.click("#scenario-dialog .main")
		b.untilMore(&traffic.bad, "fails")
		b.untilSays("#scenario-says", "Running for")
		b.untilMore(&traffic.good, "passes")
		b.click("#stop-scenario")
		b.untilSays("#scenario-says", "The last one began")
		b.click(`#levels [value="Normal"]`)
	})

	t.Run("a proxy is switched off", func(t *testing.T) {
		b := b.in(t)
		b.click("#enabled")
		b.untilSays("#proxies li:nth-child(2) .badge", "not listening")
		if _, err := net.Dial("tcp", db); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
		taken, err := net.Listen("tcp", db)
		if err != nil {
			t.Fatal(err)
		}
		b.click("#enabled")
		b.untilSays("#error", "address already in use")
		b.until(`!document.getElementById('enabled').checked`)
		_ = taken.Close()
		b.click("#enabled")
		b.untilMore(&traffic.good, "passes")
		b.until(`document.getElementById('error').hidden`)
	})

	t.Run("a proxy comes and goes", func(t *testing.T) {
		b := b.in(t)
		b.click("#new-proxy")
		b.put("#proxy-name", "more")
		b.put("#proxy-upstream", "nowhere")
		b.click("#proxy-dialog .main")
		b.untilSays("#proxy-dialog .error", "must be host:port")
		b.put("#proxy-upstream", testserver.Echo(t))
		b.click("#proxy-dialog .main")
		b.untilSays("#name", "more")
		if got, err := try(t, b.says("#listen")); got != "hello" {
			t.Errorf("through the new proxy: %q, %v", got, err)
		}
		b.click("#remove-proxy")
		b.until(`document.querySelectorAll('#proxies li').length === 2`)
	})

	t.Run("hostile names", func(t *testing.T) {
		b := b.in(t)
		b.click(`#proxies li:nth-child(1) a`)
		b.until(`document.getElementById('name').textContent.startsWith('<img')`)
		if got := b.says("#name"); got != hostile {
			t.Errorf("it shows %s", got)
		}
		b.untilSays("#rules .what", "<b>bold</b>")
		b.click(`#rules input`)
		b.until(`document.querySelector('#rules li.off') === null`)
		if got, err := try(t, p.listen[hostile]); err == nil {
			t.Errorf("through a reset: %q", got)
		}
		b.untilSays("#log", "<b>bold</b>: reset on <img")
		b.do(chromedp.Focus("#chart", chromedp.ByQuery), chromedp.KeyEvent(kb.ArrowLeft))
		if got := b.text(`document.images.length + document.querySelectorAll('bdi *, #log b').length`); got != "0" {
			t.Errorf("%s elements were made of names", got)
		}
	})

	t.Run("many connections", func(t *testing.T) {
		b := b.in(t)
		b.click(`#proxies li:nth-child(2) a`)
		for range 200 {
			c := dial(t, db)
			if got, err := c.ask("hello"); got != "hello" {
				t.Fatal(got, err)
			}
		}
		b.untilSays("#connections-total", "203")
		b.untilSays("#connections-more", "and 153 more")
		if got := b.text(`document.querySelectorAll('#connections tbody tr').length`); got != "50" {
			t.Errorf("it shows %s rows", got)
		}
		b.photo("many")
	})

	t.Run("many rules", func(t *testing.T) {
		b := b.in(t)
		p.call("PUT", "/v1/proxies/db/plan", `{"rules":[{"fault":{"kind":"hang"},"off":true}`+strings.Repeat(`,{"fault":{"kind":"hang"},"off":true}`, 299)+`]}`)
		b.untilSays("#rules-more", "and 200 more")
		b.until(`document.querySelectorAll('#rules li').length === 100`)
		p.call("PUT", "/v1/proxies/db/plan", "{}")
		b.until(`document.querySelectorAll('#rules li').length === 0`)
	})

	t.Run("everything has a name", func(t *testing.T) {
		b := b.in(t)
		b.named()
	})

	t.Run("the server goes away", func(t *testing.T) {
		b := b.in(t)
		p.Kill()
		b.untilSays("#link", "no answer since")
		b.photo("lost")
		b.until(`document.getElementById('main').inert`)
		p = start(t, 2, args...)
		b.untilSays("#link", "live")
		b.until(`!document.getElementById('main').inert && document.getElementById('chart').dataset.points > 1`)
	})
	b.clean(p.control)
}

// TestPageWithToken is asked for it once, in a tab.
func TestPageWithToken(t *testing.T) {
	b := newBrowser(t)
	p := start(t, 1, "-token", "secret", "-listen", "127.0.0.1:0", "-upstream", testserver.Echo(t))
	b.do(chromedp.Navigate(p.control))
	b.until(`document.getElementById('token-dialog').open`)
	b.photo("token")
	b.put("#token", "guessed")
	b.click("#token-dialog .main")
	b.untilSays("#token-dialog .error", "That is not it.")
	if got := b.text(`document.getElementById('main').hidden`); got != "true" {
		t.Error("it shows something to somebody without the token")
	}
	b.put("#token", "secret")
	b.click("#token-dialog .main")
	b.untilSays("#link", "live")
	b.click(`#levels [value="Total blackout"]`)
	b.untilSays("#rules .what", "blackout")
	b.do(chromedp.Reload())
	b.untilSays("#link", "live")
	if got := b.text(`document.getElementById('token-dialog').open`); got != "false" {
		t.Error("after it was loaded anew it asks again")
	}
	b.clean(p.control)
}

// TestPageWords has the page's modules say things, in the browser.
func TestPageWords(t *testing.T) {
	b := newBrowser(t)
	p := start(t, 0)
	b.do(chromedp.Navigate(p.control))
	b.untilSays("#none", "There is no proxy yet")
	b.until(`!document.getElementById('none').hidden && document.getElementById('detail').hidden`)
	for expression, want := range map[string]string{
		`rules.describe({fault: {kind: 'hang'}})`:                                                                                    "hang · always",
		`rules.describe({chance: 0.07, scope: 'byte', fault: {kind: 'loss', again: 0.1}})`:                                           "loss, again 0.1 · 7 % of bytes",
		`rules.describe({mix: [{percent: 20, fault: {kind: 'delay', for: '2s'}}, {percent: 5, fault: {kind: 'reset'}}]})`:            "of exchanges 20 % delay, for 2s; 5 % reset",
		`rules.describe({select: {ops: ['read', 'write'], peer: 'db:1'}, when: {skip: 2, perConn: true}, fault: {kind: 'garbage'}})`: "garbage · always · ops read write · peer db:1 · skip 2 · per conn",
		`rules.describe({limits: {hits: 3}, fault: {kind: 'on', protocol: 'http', fault: {kind: 'delay', for: '1s'}}})`:              "on, protocol http, fault: delay, for 1s · always · at most hits 3",
		`rules.describe(undefined)`: "",
		`[0, 999, 1000, 9949, 9951, 999499, 999999, 5e13].map(format.bytes).join()`:  "0 B,999 B,1.0 kB,9.9 kB,10 kB,999 kB,1.0 MB,50 TB",
		`[-5, 59999, 60000, 3599999, 3600000, 90061000].map(format.duration).join()`: "0 s,59 s,1 min 0 s,59 min 59 s,1 h 0 min,25 h 1 min",
		`[9999, 10000, 100000, 1e6].map(format.count).join()`:                        "9999,10.0 k,100 k,1.0 M",
		`JSON.stringify(api.exact('{"seed":18446744073709551615,"n":1.5}'))`:         `{"seed":18446744073709551615,"n":1.5}`,
	} {
		var got string
		b.do(chromedp.Evaluate(fmt.Sprintf(`Promise.all(['rules', 'format', 'api'].map(m => import('/page/' + m + '.js'))).then(([rules, format, api]) => %s)`, expression), &got,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
		if got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
	b.clean(p.control)
}
