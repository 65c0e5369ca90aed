package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/examples/internal/programtest"
	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/internal/testserver"
)

// outcomes are those of exchanges over connections of their own.
func outcomes(t *testing.T, address string) (all []string) {
	t.Helper()
	for range 40 {
		got, err := try(t, address)
		switch {
		case err == io.EOF:
			got = "closed"
		case err != nil:
			got = "reset"
		}
		all = append(all, got)
	}
	return all
}

// TestReplay strikes the same connections again, under another seed, after a
// run that was killed.
func TestReplay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "faults.log")
	args := []string{"-listen", "127.0.0.1:0", "-upstream", testserver.Echo(t), "-fault", "40:reset,20:close"}
	p := start(t, 1, append(args, "-seed", "7", "-record", file)...)
	first := outcomes(t, p.listen["proxy"])
	p.Kill()

	p = start(t, 1, append(args, "-seed", "8")...)
	if other := outcomes(t, p.listen["proxy"]); slices.Equal(other, first) {
		t.Fatalf("another seed gives the same: %q", first)
	}
	p.Kill()

	again := filepath.Join(t.TempDir(), "again.log")
	p = start(t, 1, append(args, "-seed", "8", "-replay", file, "-record", again)...)
	if got := outcomes(t, p.listen["proxy"]); !slices.Equal(got, first) {
		t.Errorf("replayed: %q\nwant %q", got, first)
	}
	p.Kill()
	if got, want := places(t, again), places(t, file); len(want) < 5 || !slices.Equal(got, want) {
		t.Errorf("the log of the replay has\n%q\nwant\n%q", got, want)
	}

	// Without the first line the first fault does not strike.
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(text, []byte("\n"))
	p = start(t, 1, append(args, "-replay", write(t, "less.log", string(rest)))...)
	hit := slices.IndexFunc(first, func(s string) bool { return s != "hello" })
	if got := outcomes(t, p.listen["proxy"]); got[hit] != "hello" || slices.Equal(got, first) {
		t.Errorf("without the fault on connection %d: %q", hit+1, got)
	}
	// A change ends it.
	p.call("PUT", "/v1/proxies/proxy/plan", `{"rules":[{"fault":{"kind":"reset"}}]}`)
	if got, err := try(t, p.listen["proxy"]); err == nil {
		t.Errorf("after a change: %q", got)
	}
}

// places are where the faults of a log have struck.
func places(t *testing.T, file string) (all []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, err := faultconn.ReadLog(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		e.Seed = 0
		all = append(all, e.String())
	}
	return all
}

func TestBadReplay(t *testing.T) {
	const line = `{"rule":"slow","kind":"delay","point":"proxy","conn":1,"op":"read"}`
	there := write(t, "there.log", line)
	for says, args := range map[string][]string{
		"no such file":                   {"-replay", "/nowhere/x.log"},
		"x.log: line 1: ":                {"-replay", write(t, "x.log", "20:delay")},
		"empty.log: has no faults":       {"-replay", write(t, "empty.log", "\n")},
		`proxy "db" is in the log and`:   {"-replay", write(t, "db.log", strings.Replace(line, "proxy", "db", 1))},
		`rule "slow" is in the log but`:  {"-replay", there},
		"there.log: file exists":         {"-record", there},
		"-record: open /nowhere/y.log: ": {"-record", "/nowhere/y.log"},
	} {
		p := programtest.Start(t, append(args, "-control", "127.0.0.1:0", "-listen", "127.0.0.1:0", "-upstream", "127.0.0.1:1")...)
		if err := p.Wait(); err == nil || !strings.Contains(p.Log(), says) {
			t.Errorf("%q: %v: %s, want %q", args, err, p.Log(), says)
		}
	}
}

// TestRecordFull has a disk that is full: it says so once, and goes on.
func TestRecordFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full: ", err)
	}
	var said strings.Builder
	r := &recorder{file: full, stderr: &said}
	defer r.Close()
	for range 3 {
		r.fault(faultconn.Event{Rule: "slow", Kind: "delay"})
	}
	if got := said.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "no space left on device: no more faults are recorded") {
		t.Errorf("it says %q", got)
	}
}

// TestNoProxies starts with files that have none, and says so.
func TestNoProxies(t *testing.T) {
	config, toxiproxy := write(t, "chaos.yaml", "proxies: []\n"), write(t, "toxiproxy.json", "[]")
	p := start(t, 0, "-config", config, "-toxiproxy", toxiproxy)
	p.call("POST", "/v1/proxies", `{"name":"late","upstream":"x:1"}`)
	if got := p.call("GET", "/v1/proxies", ""); !strings.Contains(got, `"late"`) {
		t.Error(got)
	}
	p.wantSaid("chaosproxy: warning: " + config + ": has no proxies\nchaosproxy: warning: " + toxiproxy + ": has no proxies\n")
	for name, text := range map[string]string{"empty.yaml": "", "comment.yaml": "# later\n"} {
		file := write(t, name, text)
		start(t, 0, "-config", file).wantSaid("chaosproxy: warning: " + file + ": has no proxies\n")
	}
}

// wantSaid ends the program and wants what it has said on standard error.
func (p *process) wantSaid(want string) {
	p.t.Helper()
	p.Kill()
	if got := p.Log(); got != want {
		p.t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
}
