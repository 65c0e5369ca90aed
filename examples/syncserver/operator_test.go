package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/internal/wait"
)

// operatorTool builds appsync-backoff and returns a function that runs it.
func operatorTool(t *testing.T, memcached string) func(args ...string) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "appsync-backoff")
	if out, err := exec.Command("go", "build", "-o", tool, "github.com/brownout-go/brownout/backoff/cmd/appsync-backoff").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return func(args ...string) string {
		t.Helper()
		out, err := exec.Command(tool, append([]string{"-m", memcached}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("appsync-backoff %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
}

// until waits for something that another process brings about; a test that
// waits in vain fails, however fast or slow the machine is.
func until(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	if !wait.Until(time.Minute, ok) {
		t.Fatalf("a minute later still not: %s", what)
	}
	return time.Since(start)
}

// An operator steers the clients with one command, and nothing that happens to
// the memcached in between can hurt them.
func TestOperator(t *testing.T) {
	cache := testserver.Memcached(t)
	operator := operatorTool(t, cache.Addr)
	says := func(want string, args ...string) {
		t.Helper()
		if got := operator(args...); got != want {
			t.Errorf("appsync-backoff %q says %q, want %q", args, got, want)
		}
	}
	p := startProgram(t, "-db", "memory:", "-memcached", cache.Addr)
	d := p.login("ann@example.com")
	poll := func() (documented, read string) {
		t.Helper()
		status, header, body := d.do("GET", d.path, d.auth, "")
		if status != 200 {
			t.Fatalf("GET: %d %s", status, body)
		}
		return header.Get("X-Sync-Poll"), header.Get("X-Sync-Poll-Time")
	}
	carries := func(want string) func() bool {
		return func() bool { a, b := poll(); return a == want && b == want }
	}

	says("No Backoff has been set in Memcached", "get")
	if a, b := poll(); a != "" || b != "" {
		t.Errorf("nothing is set, and GET carries %q and %q", a, b)
	}
	says("Backoff set to 20 seconds.", "set", "20")
	t.Logf("X-Sync-Poll: 20 after %v", until(t, "GETs carry 20", carries("20")).Round(time.Millisecond))
	says("The Backoff is currently set to 20 seconds.", "get")
	if status, header, _ := d.do("POST", d.path, d.auth, "[]"); status != 200 || header.Get("X-Sync-Poll") != "" {
		t.Errorf("POST: %d with X-Sync-Poll %q, want none", status, header.Get("X-Sync-Poll"))
	}

	// Frozen, then dead: what was set last goes on being asked.
	for _, trouble := range []func(){cache.Freeze, cache.Kill} {
		trouble()
		until(t, "the server notices", func() bool {
			_, _, page := p.do("GET", "/", "", "")
			return strings.Contains(page, "last known value")
		})
		for range 100 {
			if a, _ := poll(); a != "20" {
				t.Fatalf("without memcached GET carries %q", a)
			}
		}
	}
	cache.Start() // empty, for memcached keeps nothing
	t.Logf("none after %v", until(t, "GETs carry nothing", carries("")).Round(time.Millisecond))

	says("Backoff set to 30 seconds.", "set", "30")
	until(t, "GETs carry 30", carries("30"))
	says("Backoff removed", "del")
	t.Logf("none after %v", until(t, "GETs carry nothing", carries("")).Round(time.Millisecond))
	says("No Backoff has been set in Memcached", "get")
}
