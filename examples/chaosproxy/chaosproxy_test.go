package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary be chaosproxy, so that tests can send it
// signals.
const asProgram = "CHAOSPROXY_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is a running chaosproxy.
type program struct {
	t       *testing.T
	cmd     *exec.Cmd
	control string            // URL
	listen  map[string]string // by proxy
	mu      sync.Mutex
	errs    bytes.Buffer
	ended   chan error
}

// start runs it and waits until it has said where its n proxies listen.
func start(t *testing.T, n int, args ...string) *program {
	t.Helper()
	p := &program{t: t, listen: map[string]string{}, ended: make(chan error, 1)}
	p.cmd = exec.Command(os.Args[0], append([]string{"-control", "127.0.0.1:0"}, args...)...)
	p.cmd.Env = append(os.Environ(), asProgram+"=1", "DB=127.0.0.1")
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 0; i <= n && lines.Scan(); i++ {
		words := strings.Fields(lines.Text())
		if words[0] == "control" {
			p.control = words[1]
		} else {
			p.listen[words[0]] = words[1]
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		p.wait()
	})
	if len(p.listen) != n {
		p.wait()
		t.Fatalf("it has not started: %s", p.said())
	}
	return p
}

func (p *program) wait() error {
	err := <-p.ended
	p.ended <- err
	return err
}

// Write takes what it says on standard error.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errs.Write(b)
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errs.String()
}

func (p *program) call(method, path, body string) string {
	p.t.Helper()
	req, err := http.NewRequest(method, p.control+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if resp.StatusCode >= 300 {
		p.t.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return strings.TrimSpace(string(text))
}

// echo is an upstream.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return l.Addr().String()
}

type client struct {
	net.Conn
	in *bufio.Reader
}

// try makes one exchange over a connection of its own. An RST can come before
// Dial returns.
func try(t *testing.T, address string) (string, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	return use(t, c).ask("hello")
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return use(t, c)
}

func use(t *testing.T, c net.Conn) *client {
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{c, bufio.NewReader(c)}
}

func (c *client) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	got, err := c.in.ReadString('\n')
	return strings.TrimSuffix(got, "\n"), err
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFlags(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", echo(t), "-fault", "100:reset", "-statsd", udp.LocalAddr().String(), "-statsd-prefix", "chaos")
	c := dial(t, p.listen["proxy"])
	if got, err := c.ask("hello"); err == nil {
		t.Errorf("100:reset lets %q pass", got)
	}
	_ = udp.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 1500)
	n, _, err := udp.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "chaos.faultconn.proxy.reset:1|c" {
		t.Errorf("statsd got %q, %v", buf[:n], err)
	}
	p.call("DELETE", "/v1/proxies/proxy/plan", "")
	if got, err := try(t, p.listen["proxy"]); got != "hello" {
		t.Errorf("without a plan: %q, %v", got, err)
	}
}

// TestVaurienCounters asks for the counters of each connection too, next to a
// transcript, which listens to the same.
func TestVaurienCounters(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	file := filepath.Join(t.TempDir(), "transcript")
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", echo(t), "-statsd", udp.LocalAddr().String(), "-statsd-vaurien", "redis", "-transcript", file)
	c := dial(t, p.listen["proxy"])
	if got, err := c.ask("hello"); got != "hello" {
		t.Fatal(got, err)
	}
	_ = c.Close()
	_ = udp.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 1500)
	for _, want := range []string{"start", "to_backend", "to_client", "end"} {
		n, _, err := udp.ReadFrom(buf)
		if got := string(buf[:n]); err != nil || !strings.HasPrefix(got, "chaosproxy.redis.") || !strings.HasSuffix(got, "."+want+":1|c") {
			t.Errorf("statsd got %q, %v, want %s", got, err, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "hello") {
		t.Errorf("transcript: %s, %v", text, err)
	}
}

// TestDrain sends SIGTERM with a connection open: it goes on, new ones are
// refused, and the program ends once it has ended.
func TestDrain(t *testing.T) {
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", echo(t), "-drain", "1m")
	c := dial(t, p.listen["proxy"])
	if got, err := c.ask("hello"); got != "hello" {
		t.Fatal(got, err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until it has stopped listening
		other, err := net.Dial("tcp", p.listen["proxy"])
		if err != nil {
			break
		}
		_ = other.Close()
	}
	if got, err := c.ask("still there"); got != "still there" {
		t.Errorf("draining: %q, %v", got, err)
	}
	if got := p.call("GET", "/v1/proxies/proxy/connections", ""); !strings.Contains(got, c.LocalAddr().String()) {
		t.Errorf("the API does not show what is left: %s", got)
	}
	_ = c.Close()
	if err := p.wait(); err != nil {
		t.Errorf("%v: %s", err, p.said())
	}
}

func TestDrainEnds(t *testing.T) {
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", echo(t), "-drain", "50ms")
	c := dial(t, p.listen["proxy"])
	if got, err := c.ask("hello"); got != "hello" {
		t.Fatal(got, err)
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(p.said(), c.LocalAddr().String()) {
		t.Errorf("it does not say which connection it has cut: %s", p.said())
	}
}

func TestConfig(t *testing.T) {
	up := strings.Replace(echo(t), "127.0.0.1", "${DB}", 1)
	file := write(t, "chaos.yaml", `
proxies:
  - name: db
    listen: 127.0.0.1:0
    upstream: `+up+`
    plan:
      seed: 7
      rules:
        - {name: dark, fault: {kind: blackout}}
  - name: cache
    listen: 127.0.0.1:0
    upstream: `+up+`
    toxics:
      - {type: limit_data, attributes: {bytes: 2}}
`)
	p := start(t, 2, "-config", file)
	if got, err := try(t, p.listen["db"]); err == nil {
		t.Errorf("through a blackout: %q", got)
	}
	if got, _ := try(t, p.listen["cache"]); got != "he" {
		t.Errorf("through limit_data of 2: %q", got)
	}
}

// TestPlanFile puts a plan in force that names faults of both catalogues, one
// of them prepared and off.
func TestPlanFile(t *testing.T) {
	file := write(t, "plan.yaml", `
rules:
  - {name: prepared, fault: {kind: reset}, off: true}
  - {name: busy, fault: {kind: reply, protocol: http, error: "503", retryAfter: 5s}}
`)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", web.Listener.Addr().String(), "-plan", file)
	resp, err := http.Get("http://" + p.listen["proxy"])
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "5" {
		t.Errorf("%s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
}

// TestTranscript has both sides of a conversation, and the fault in between.
func TestTranscript(t *testing.T) {
	file := filepath.Join(t.TempDir(), "talk.txt")
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", echo(t), "-fault", "100:delay=1ms", "-transcript", file)
	c := dial(t, p.listen["proxy"])
	if got, err := c.ask("hello"); got != "hello" {
		t.Fatal(got, err)
	}
	_ = c.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.wait(); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"proxy 1 > hello\n", "proxy 1 ! -fault: delay", "proxy 1 < hello\n"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("it lacks %q:\n%s", part, text)
		}
	}
}

// TestImport starts with both programs' files, and warns of what they have
// that has no equal, a line each.
func TestImport(t *testing.T) {
	up := echo(t)
	p := start(t, 2,
		"-toxiproxy", write(t, "toxiproxy.json", `[{"name":"db","listen":"127.0.0.1:0","upstream":"`+up+`","toxics":[{"type":"limit_data","attributes":{"bytes":3,"speed":1}}]}]`),
		"-vaurien", write(t, "vaurien.ini", "[vaurien]\nproxy = 127.0.0.1:0\nbackend = "+up+"\nbehavior = 100:blackout\npool_timeout = 30\n"))
	if got, _ := try(t, p.listen["db"]); got != "hel" {
		t.Errorf("through limit_data of 3: %q", got)
	}
	if got, err := try(t, p.listen["vaurien"]); err == nil {
		t.Errorf("through a blackout: %q", got)
	}
	want := "chaosproxy: warning: db: toxic 1: attributes: \"speed\": has no equal\nchaosproxy: warning: [vaurien] pool_timeout: has no equal\n"
	if got := p.said(); got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
}

// TestVaurienClient makes the calls of vaurienclient.Client: list_behaviors,
// get_behavior, set_behavior and with_behavior.
func TestVaurienClient(t *testing.T) {
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", echo(t))
	getBehavior := func() string {
		var v struct{ Behavior string }
		if err := json.Unmarshal([]byte(p.call("GET", "/behavior", "")), &v); err != nil {
			t.Fatal(err)
		}
		return v.Behavior
	}
	setBehavior := func(name string, options map[string]any) {
		body := map[string]any{"name": name}
		for k, v := range options {
			body[k] = v
		}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.call("PUT", "/behavior", string(text)); got != `{"status":"ok"}` {
			t.Errorf("set_behavior: %s", got)
		}
	}
	withBehavior := func(name string, options map[string]any, do func()) {
		before := getBehavior()
		setBehavior(name, options)
		defer setBehavior(before, nil)
		do()
	}
	if got := p.call("GET", "/behaviors", ""); !strings.Contains(got, `"behaviors":["abort","blackout","delay"`) {
		t.Errorf("list_behaviors: %s", got)
	}
	timed := func() time.Duration {
		start := time.Now()
		if got, err := try(t, p.listen["proxy"]); got != "hello" {
			t.Errorf("%q, %v", got, err)
		}
		return time.Since(start)
	}
	withBehavior("delay", map[string]any{"sleep": 0.1}, func() {
		if got := getBehavior(); got != "delay" {
			t.Errorf("get_behavior: %s", got)
		}
		if took := timed(); took < 100*time.Millisecond {
			t.Errorf("delayed by 100 ms, an exchange took %v", took)
		}
		withBehavior("blackout", nil, func() {
			if got, err := try(t, p.listen["proxy"]); err == nil {
				t.Errorf("through a blackout: %q", got)
			}
		})
		if took := timed(); took < 100*time.Millisecond {
			t.Errorf("its sleep has not been kept: an exchange took %v", took)
		}
	})
	if got := getBehavior(); got != "dummy" {
		t.Errorf("in the end: %s", got)
	}
}
