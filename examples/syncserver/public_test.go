package main

import (
	"strings"
	"testing"
)

// A server behind a proxy that speaks TLS tells its clients the proxy's URL: at
// its own they would send their logins in the clear.
func TestURLBehindAProxy(t *testing.T) {
	p := startProgram(t, "-db", "memory:", "-url", "https://apps.example.com/sync/")
	_, _, body := p.do("POST", "/verify", "", "assertion=ann@example.com%3Fa%3Dx&audience=x")
	if want := `"https://apps.example.com/sync/collections/ann%40example.com/apps"`; !strings.Contains(body, want) {
		t.Errorf("a login is answered %s, want the collection at %s", body, want)
	}
}

// Nobody fills the disk: what one user may keep is bounded where the operator
// says so, and clients are told.
func TestQuota(t *testing.T) {
	p := startProgram(t, "-db", "memory:", "-quota-bytes", "1000", "-quota-collections", "2")
	ann := p.login("ann@example.com")
	ann.push("https://a.example")
	if status, _, body := ann.do("POST", ann.path, ann.auth, appsOf([]string{"https://" + strings.Repeat("b", 1000)})); status != 403 || !strings.Contains(body, "1000 bytes") {
		t.Errorf("a push beyond the quota: %d %s", status, body)
	}
	other := strings.TrimSuffix(ann.path, "apps")
	if status, _, body := ann.do("POST", other+"second", ann.auth, "[]"); status != 200 {
		t.Errorf("a second collection: %d %s", status, body)
	}
	if status, _, body := ann.do("POST", other+"third", ann.auth, "[]"); status != 403 || !strings.Contains(body, "2 collections") {
		t.Errorf("a third collection: %d %s", status, body)
	}
	if _, _, body := p.do("GET", "/info/configuration", "", ""); !strings.Contains(body, `"quota_bytes":1000`) || !strings.Contains(body, `"quota_collections":2`) {
		t.Errorf("/info/configuration: %s", body)
	}
}
