package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is a tab of a real browser, for a test.
type browser struct {
	*testing.T
	*tab
}

type tab struct {
	ctx context.Context

	mu       sync.Mutex
	trouble  []string // what the console says, exceptions, unexpected dialogs
	requests []string // URLs
}

// newBrowser starts Debian's Chromium with a profile of its own.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("chromium is not installed: apt-get install chromium")
		}
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.WindowSize(1280, 1100),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	// Of events that are newer than the library it would complain.
	ctx, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(cancel)
	if err := chromedp.Run(ctx); err != nil { // it ends with this context
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits for it, so that its files can go
	b := &browser{t, &tab{ctx: ctx}}
	chromedp.ListenTarget(ctx, b.hear)
	b.do(network.Enable(), log.Enable(), runtime.Enable(), page.Enable())
	return b
}

// in is the browser for a subtest.
func (b *browser) in(t *testing.T) *browser { return &browser{t, b.tab} }

// hear notes what the page does that it should not do.
func (b *tab) hear(event any) {
	note := func(list *[]string, format string, args ...any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		*list = append(*list, fmt.Sprintf(format, args...))
	}
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		note(&b.trouble, "exception: %v", e.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		note(&b.trouble, "console.%s", e.Type)
	case *log.EventEntryAdded:
		// A refused or failed call is shown by the page, and by the browser too.
		if e.Entry.Source != log.SourceNetwork {
			note(&b.trouble, "log: %s: %s", e.Entry.Source, e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		note(&b.requests, "%s", e.Request.URL)
	case *page.EventJavascriptDialogOpening:
		if e.Type != page.DialogTypeConfirm {
			note(&b.trouble, "dialog: %s", e.Message)
		}
		go func() { _ = chromedp.Run(b.ctx, page.HandleJavaScriptDialog(true)) }()
	}
}

// clean reports what hear has noted.
func (b *browser) clean(origins ...string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.trouble {
		b.Error(t)
	}
	if len(b.requests) == 0 {
		b.Error("no request has been seen")
	}
	for _, r := range b.requests {
		u, err := url.Parse(r)
		ours := false
		for _, o := range origins {
			ours = ours || err == nil && u.Scheme+"://"+u.Host == o
		}
		if !ours {
			b.Errorf("the page asks for %s", r)
		}
	}
}

func (b *browser) do(actions ...chromedp.Action) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

func (b *browser) click(selector string) {
	b.Helper()
	b.do(chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible))
}

// put replaces the text of a field.
func (b *browser) put(selector, text string) {
	b.Helper()
	b.text(fmt.Sprintf("document.querySelector(%q).focus() ?? document.querySelector(%q).select()", selector, selector))
	if text == "" {
		b.do(chromedp.KeyEvent(kb.Delete))
		return
	}
	b.do(input.InsertText(text))
}

// text is what an expression of JavaScript evaluates to.
func (b *browser) text(expression string) string {
	b.Helper()
	var got string
	b.do(chromedp.Evaluate("String("+expression+")", &got))
	return got
}

// says is the text of an element.
func (b *browser) says(selector string) string {
	b.Helper()
	quoted, _ := json.Marshal(selector)
	return b.text(fmt.Sprintf("document.querySelector(%s)?.textContent", quoted))
}

// until waits for an expression of JavaScript to be true. It may fail before,
// as long as an element is not there.
func (b *browser) until(expression string) {
	b.Helper()
	tried := "(() => { try { return " + expression + " } catch (e) { return e } })()"
	b.wait(expression, func() bool { return b.text(tried) == "true" })
}

// untilSays waits for an element to contain a text.
func (b *browser) untilSays(selector, text string) {
	b.Helper()
	b.wait(selector+" says "+text, func() bool { return strings.Contains(b.says(selector), text) })
}

func (b *browser) wait(what string, done func() bool) {
	b.Helper()
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for end := time.Now().Add(30 * time.Second); !done(); <-t.C {
		if time.Now().After(end) {
			b.photo("failed")
			b.Fatalf("in vain: %s; the page says: %s", what, b.says("main"))
		}
	}
}

// named wants whatever can be operated to have a name that is read out.
func (b *browser) named() {
	b.Helper()
	const nameless = `[...document.querySelectorAll('button, input, select, textarea, a, summary, dialog, svg[role]')].filter(e =>
		!(e.getAttribute('aria-label') || document.getElementById(e.getAttribute('aria-labelledby'))?.textContent
			|| e.labels?.[0]?.textContent.trim() || e.textContent.trim())).map(e => e.outerHTML.slice(0, 100)).join(' ')`
	if got := b.text(nameless); got != "" {
		b.Errorf("without a name: %s", got)
	}
}

// photo takes pictures, light, dark and narrow, where CHAOSPROXY_PICTURES says.
func (b *browser) photo(name string) {
	b.Helper()
	dir := os.Getenv("CHAOSPROXY_PICTURES")
	if dir == "" {
		return
	}
	for _, kind := range []struct {
		suffix, scheme string
		width          int64
	}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"narrow", "light", 400}} {
		var png []byte
		b.do(
			chromedp.EmulateViewport(kind.width, 900),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: kind.scheme}}),
			chromedp.ActionFunc(func(ctx context.Context) error { // two frames, for what is drawn anew
				return chromedp.Evaluate(`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, nil,
					func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }).Do(ctx)
			}),
			chromedp.FullScreenshot(&png, 100),
		)
		if err := os.WriteFile(filepath.Join(dir, name+"-"+kind.suffix+".png"), png, 0o600); err != nil {
			b.Error(err)
		}
	}
	b.do(chromedp.EmulateViewport(1280, 1100))
}
