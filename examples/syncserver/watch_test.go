package main

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A long poll outlasts the budget of other requests, and a push ends it.
func TestLongPoll(t *testing.T) {
	p := startProgram(t, "-db", "memory:", "-budget", "900ms")
	ann := p.login("ann@example.com")
	until := ann.push("https://a.example")

	began := time.Now()
	status, _, body := ann.do("GET", ann.path+"?wait=1&since="+until.String(), ann.auth, "")
	if took := time.Since(began); status != 200 || strings.Contains(body, "a.example") || took < time.Second {
		t.Errorf("waited for nothing: %d after %v: %s", status, took, body)
	}

	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer)
	go func() {
		status, _, body := ann.do("GET", ann.path+"?wait=50&since="+until.String(), ann.auth, "")
		answers <- answer{status, body}
	}()
	ann.push("https://b.example")
	if a := <-answers; a.status != 200 || !strings.Contains(a.body, "b.example") {
		t.Errorf("waited for a push: %d %s", a.status, a.body)
	}
}

// A stop does not wait for those who do.
func TestStopEndsStreams(t *testing.T) {
	p := startProgram(t, "-db", "memory:")
	ann := p.login("ann@example.com")
	req, err := http.NewRequest("GET", p.url+ann.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", ann.auth)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	events := bufio.NewScanner(resp.Body)
	if !events.Scan() || events.Text() != ": watching" {
		t.Fatalf("stream: %s, begins with %q: %v", resp.Status, events.Text(), events.Err())
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	for events.Scan() {
	}
	if err := events.Err(); err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
	if strings.Contains(p.Log(), "did not drain") {
		t.Errorf("the server cut connections:\n%s", p.Log())
	}
}
