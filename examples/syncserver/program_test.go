package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/examples/internal/programtest"
)

func TestMain(m *testing.M) { programtest.Main(m, main) }

// A process is a running syncserver.
type process struct {
	*programtest.Program
	t   *testing.T
	url string // without the slash at the end
}

// startProgram runs syncserver on a free port and waits until it listens.
func startProgram(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Program: programtest.Start(t, append([]string{"-addr", "127.0.0.1:0"}, args...)...), t: t}
	line, _ := p.Line()
	url, _, ok := strings.Cut(line, "/ ")
	if !ok {
		p.Kill()
		t.Fatalf("syncserver %q does not listen, and says %q and\n%s", args, line, p.Log())
	}
	p.url = url
	return p
}

// do sends a request and returns the status, the header and the body.
func (p *process) do(method, path, auth, body string) (int, http.Header, string) {
	p.t.Helper()
	resp, err := p.try(method, path, auth, body)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// try sends a request that may fail. The caller closes the body.
func (p *process) try(method, path, auth, body string) (*http.Response, error) {
	req, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if path == "/verify" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return http.DefaultClient.Do(req)
}
