package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/examples/internal/programtest"
	"github.com/brownout-go/brownout/internal/testserver"
)

func TestMain(m *testing.M) { programtest.Main(m, main) }

// process is a running chaosproxy.
type process struct {
	*programtest.Program
	t       *testing.T
	control string            // URL
	listen  map[string]string // by proxy
}

// start runs it and waits until it has said where its n proxies listen.
func start(t *testing.T, n int, args ...string) *process {
	t.Helper()
	p := &process{
		Program: programtest.Start(t, append([]string{"-control", "127.0.0.1:0"}, args...)...),
		t:       t, listen: map[string]string{},
	}
	for range n + 1 {
		line, ok := p.Line()
		if !ok {
			t.Fatalf("it has not started: %s", p.Log())
		}
		words := strings.Fields(line)
		if words[0] == "control" {
			p.control = words[1]
		} else {
			p.listen[words[0]] = words[1]
		}
	}
	return p
}

func (p *process) call(method, path, body string) string {
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
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", testserver.Echo(t), "-fault", "100:reset", "-statsd", udp.LocalAddr().String(), "-statsd-prefix", "chaos")
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
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", testserver.Echo(t), "-statsd", udp.LocalAddr().String(), "-statsd-vaurien", "redis", "-transcript", file)
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
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", testserver.Echo(t), "-drain", "1m")
	c := dial(t, p.listen["proxy"])
	if got, err := c.ask("hello"); got != "hello" {
		t.Fatal(got, err)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
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
	if err := p.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.Log())
	}
}

func TestDrainEnds(t *testing.T) {
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", testserver.Echo(t), "-drain", "50ms")
	c := dial(t, p.listen["proxy"])
	if got, err := c.ask("hello"); got != "hello" {
		t.Fatal(got, err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(p.Log(), c.LocalAddr().String()) {
		t.Errorf("it does not say which connection it has cut: %s", p.Log())
	}
}

func TestConfig(t *testing.T) {
	t.Setenv("DB", "127.0.0.1")
	up := strings.Replace(testserver.Echo(t), "127.0.0.1", "${DB}", 1)
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
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", testserver.Echo(t), "-fault", "100:delay=1ms", "-transcript", file)
	c := dial(t, p.listen["proxy"])
	if got, err := c.ask("hello"); got != "hello" {
		t.Fatal(got, err)
	}
	_ = c.Close()
	if err := p.Stop(); err != nil {
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
	up := testserver.Echo(t)
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
	if got := p.Log(); got != want {
		t.Errorf("it says\n%swant\n%s", got, want)
	}
}

// TestVaurienClient makes the calls of vaurienclient.Client: list_behaviors,
// get_behavior, set_behavior and with_behavior.
func TestVaurienClient(t *testing.T) {
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", testserver.Echo(t))
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
