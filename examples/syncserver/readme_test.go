package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var curlBlock = regexp.MustCompile("(?s)<!-- curl -->\n```sh\n(.*?)```")

// The README's curl lines do what it says, on the program it names.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := curlBlock.FindSubmatch(readme)
	if m == nil {
		t.Fatal("the README has no curl lines to run")
	}
	p := startProgram(t, "-db", "memory:")
	const there = "http://127.0.0.1:5000"
	lines := string(m[1])
	if !strings.Contains(lines, there) {
		t.Fatalf("the README's lines do not talk to %s", there)
	}
	answers := shell(t, strings.ReplaceAll(lines, there, p.url))
	rest := answers
	for _, want := range []string{
		`{"received":`,
		"X-Sync-Poll: 20",
		`"applications":[{"origin": "https://app.example", "name": "An app", "last_modified": 1}]`,
		`{"received":`,
		`{"collection_deleted":{"client_id":"demo","reason":"trying it out"}}`,
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("the answers lack %s, or have it too early:\n%s", want, answers)
		}
		rest = after
	}
}

// shell runs lines that use curl, and returns the output.
func shell(t *testing.T, lines string) string {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("curl is not installed: apt-get install curl")
		}
		t.Skip("curl is not installed: apt-get install curl")
	}
	cmd := exec.Command("sh", "-euc", lines)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// The page shows lines that work too.
func TestPage(t *testing.T) {
	p := startProgram(t, "-db", "memory:")
	if answers := shell(t, unescape(between(t, p, "<pre>", "</pre>"))); !strings.Contains(answers, "https://app.example") {
		t.Errorf("the page's lines answer %s", answers)
	}
	inForce := func(want string) {
		t.Helper()
		if status, header, body := p.do("GET", "/backoff", "", ""); status != 200 || body != want+"\n" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("GET /backoff: %d %v %q, want %s", status, header, body, want)
		}
	}
	inForce("0")
	if status, _, _ := p.do("PUT", "/backoff", "", "20"); status != 204 {
		t.Errorf("PUT /backoff: %d", status)
	}
	inForce("20")
	if _, _, page := p.do("GET", "/", "", ""); !strings.Contains(page, "20s in X-Sync-Poll") {
		t.Errorf("after setting it, the page does not show the poll interval:\n%s", page)
	}
	for _, bad := range []string{"", "-1", "soon", "172801", strings.Repeat("1", 100)} {
		if status, _, body := p.do("PUT", "/backoff", "", bad); status != 400 || !strings.Contains(body, "number of seconds") {
			t.Errorf("PUT /backoff %q: %d %s", bad, status, body)
		}
	}
	inForce("20")
	if status, header, _ := p.do("POST", "/backoff", "", "20"); status != 405 || header.Get("Allow") != "DELETE, GET, HEAD, PUT" {
		t.Errorf("POST /backoff: %d %v", status, header)
	}
	if status, header, _ := p.do("DELETE", "/backoff", "", ""); status != 204 {
		t.Errorf("DELETE /backoff: %d %v", status, header)
	}
	inForce("0")
	if _, _, page := p.do("GET", "/", "", ""); !strings.Contains(page, "none asked for") {
		t.Error("after deleting it, the page still shows a poll interval")
	}
}

func between(t *testing.T, p *process, from, to string) string {
	t.Helper()
	_, _, page := p.do("GET", "/", "", "")
	_, rest, ok := strings.Cut(page, from)
	text, _, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("the page has nothing between %s and %s:\n%s", from, to, page)
	}
	return text
}

func unescape(s string) string {
	return strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&lt;", "<", "&gt;", ">", "&amp;", "&", "&#43;", "+").Replace(s)
}
