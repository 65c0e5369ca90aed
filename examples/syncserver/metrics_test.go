package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each fault that strikes is one counter and one line of the log, so that an
// error of a client can be matched with what caused it.
func TestFaultsAreSeen(t *testing.T) {
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	text := `
seed: 7
rules:
  - {name: late, select: {point: clients, conns: [1, 2]}, fault: {kind: delay, for: 1ms}}
  - {name: gone, select: {point: clients, conns: [3]}, fault: {kind: reset}}
  - {name: odd, select: {point: clients, conns: [4]}, fault: {kind: garbage}}
  - {name: dead, select: {point: clients, conns: [5]}, fault: {kind: hang}}
`
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, "-db", "memory:", "-faults", plan, "-statsd", udp.LocalAddr().String(), "-budget", "100ms")
	want := map[string]int{"delay": 2, "reset": 1, "garbage": 1, "hang": 1}
	for range 6 {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		// Whatever becomes of it: an answer, nonsense or the end.
		_, _ = c.Write([]byte("GET /__heartbeat__ HTTP/1.0\r\n\r\n"))
		_, _ = c.Read(make([]byte, 1))
		c.Close()
	}

	counted, total := map[string]int{}, 0
	packet := make([]byte, 64<<10)
	for total < 5 {
		_ = udp.SetReadDeadline(time.Now().Add(time.Minute))
		n, _, err := udp.ReadFrom(packet)
		if err != nil {
			t.Fatalf("after the counters %v: %v", counted, err)
		}
		for line := range strings.Lines(string(packet[:n])) {
			if kind, ok := strings.CutPrefix(strings.TrimSpace(line), "syncserver.faultconn.clients."); ok && strings.HasSuffix(kind, ":1|c") {
				counted[strings.TrimSuffix(kind, ":1|c")]++
				total++
			}
		}
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	for kind, n := range want {
		lines := strings.Count(p.Log(), `"msg":"faultconn: `+kind+`"`)
		if counted[kind] != n || lines != n {
			t.Errorf("%s: %d counted, %d lines, want %d of each", kind, counted[kind], lines, n)
		}
	}
	for line := range strings.Lines(p.Log()) {
		if strings.Contains(line, `"msg":"faultconn: reset"`) {
			for _, field := range []string{`"rule":"gone"`, `"conn":3`, `"direction":"in"`, `"offset":0`, `"seed":7`} {
				if !strings.Contains(line, field) {
					t.Errorf("the line of the reset lacks %s: %s", field, line)
				}
			}
		}
	}
}
