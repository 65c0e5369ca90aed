package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// asProgram makes the test binary be syncserver, so that tests can run it as
// a process of its own: one that takes signals and can be killed.
const asProgram = "SYNCSERVER_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A program is a running syncserver.
type program struct {
	t   *testing.T
	cmd *exec.Cmd
	url string // without the slash at the end

	mu  sync.Mutex
	log bytes.Buffer
	end chan struct{} // closed when it has ended
	err error         // how
}

// startProgram runs syncserver on a free port and waits until it listens.
func startProgram(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{t: t, end: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.wait()
		if t.Failed() {
			t.Logf("syncserver %q said:\n%s", args, p.text())
		}
	})
	listening, reading := make(chan string, 1), sync.WaitGroup{}
	reading.Go(func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if url, _, ok := strings.Cut(lines.Text(), "/ "); ok {
				select {
				case listening <- url:
				default:
				}
			}
		}
		close(listening)
	})
	reading.Go(func() { _, _ = io.Copy(p, errs) })
	go func() {
		reading.Wait() // Wait closes the pipes
		p.err = p.cmd.Wait()
		close(p.end)
	}()
	url, ok := <-listening
	if !ok {
		t.Fatalf("syncserver %q ended instead of listening: %v\n%s", args, p.wait(), p.text())
	}
	p.url = url
	return p
}

// Write collects the log.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *program) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// wait returns how the process ended.
func (p *program) wait() error {
	<-p.end
	return p.err
}

// kill ends the process as a crash would.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.wait()
}

// term asks it to end, and returns how it did.
func (p *program) term() error {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

// do sends a request and returns the status, the header and the body.
func (p *program) do(method, path, auth, body string) (int, http.Header, string) {
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
func (p *program) try(method, path, auth, body string) (*http.Response, error) {
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
