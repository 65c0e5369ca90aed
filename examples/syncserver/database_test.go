package main

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto/sqlstore"
)

// A database that hangs, here because another process has locked it, costs
// nobody more than the budget: pushes get 503 and Retry-After, pulls, which can
// be answered, are answered, and when the lock is gone everything is as before.
func TestHungDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "appsync.db")
	p := startProgram(t, "-db", "sqlite:"+file, "-budget", "300ms", "-retry-after", "7s")
	d := p.login("ann@example.com")
	d.push("https://before.example")

	connector, _, err := sqlstore.Connector("sqlite:" + file)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	tx, err := db.BeginTx(context.Background(), nil) // immediate: it has the write lock
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		status int
		header http.Header
		err    error
	}
	answers := make(chan answer)
	const pushes = 20
	for i := range pushes {
		go func() {
			resp, err := d.try("POST", d.path, d.auth, appsOf([]string{fmt.Sprintf("https://during%d.example", i)}))
			if err != nil {
				answers <- answer{err: err}
				return
			}
			resp.Body.Close()
			answers <- answer{resp.StatusCode, resp.Header, nil}
		}()
	}
	for range pushes {
		if a := <-answers; a.status != 503 || a.header.Get("Retry-After") != "7" {
			t.Errorf("push while the database hangs: %d, Retry-After %q, %v; want 503, 7", a.status, a.header.Get("Retry-After"), a.err)
		}
	}
	if status, _, body := d.do("PUT", "/backoff", "", "3600"); status/100 != 2 {
		t.Fatalf("PUT /backoff: %d %s", status, body)
	}
	if status, header, _ := d.do("POST", d.path, d.auth, "[]"); status != 503 || header.Get("Retry-After") != "3600" {
		t.Errorf("push while the database hangs and the operator asks for an hour: %d, Retry-After %q; want 503, 3600", status, header.Get("Retry-After"))
	}
	if got := d.pull(); !got["https://before.example"] {
		t.Errorf("pull while writes hang: %v", got)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	d.push("https://after.example")
	if got := d.pull(); len(got) != 2 {
		t.Errorf("afterwards there are %v, want what was pushed before and after", got)
	}
}

// A database that may not grow refuses what is new, answers the rest, and takes
// more as soon as something was deleted.
func TestDatabaseThatMayNotGrow(t *testing.T) {
	p := startProgram(t, "-db", "sqlite:"+filepath.Join(t.TempDir(), "appsync.db")+"?_pragma=max_page_count(100)", "-budget", "30s", "-retry-after", "7s")
	d := p.login("ann@example.com")
	pushes := 0
	push := func() (status int, retryAfter, origin string) {
		t.Helper()
		pushes++
		origin = fmt.Sprintf("https://%d.example/%s", pushes, strings.Repeat("x", 900))
		status, header, _ := d.do("POST", d.path, d.auth, appsOf([]string{origin}))
		return status, header.Get("Retry-After"), origin
	}
	acknowledged := map[string]bool{}
	for {
		status, after, origin := push()
		if status == 503 && after == "7" {
			break
		}
		if status != 200 {
			t.Fatalf("push to a full database: %d, Retry-After %q", status, after)
		}
		acknowledged[origin] = true
	}
	if got := d.pull(); len(acknowledged) == 0 || !maps.Equal(got, acknowledged) {
		t.Errorf("%d were acknowledged, and there are %d", len(acknowledged), len(got))
	}
	if status, _, body := d.do("POST", d.path+"?delete", d.auth, `{"client_id":"c","reason":"full"}`); status != 200 {
		t.Errorf("delete: %d %s", status, body)
	}
	if status, _, _ := push(); status != 200 {
		t.Errorf("push after there is room again: %d", status)
	}
}
