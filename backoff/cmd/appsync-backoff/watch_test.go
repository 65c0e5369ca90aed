package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/internal/testserver"
)

func TestWatchPrintsEachChange(t *testing.T) {
	m := testserver.Memcached(t)
	for _, c := range []struct {
		flags string
		want  []string // parts of the lines, after each command
	}{
		{"", []string{"watching " + m.Addr, "20s", "30s (ana)", "no backoff", "cannot read: ", "reading again"}},
		{"-json", []string{
			`"event":"watching"}`,
			`"event":"value_changed","value":{"interval":20}}`,
			`"event":"value_changed","value":{"interval":30,"note":"ana"}}`,
			`"event":"value_changed","value":{}}`,
			`"event":"store_failed","error":"memcachestore: get at ` + m.Addr + `: `,
			`"event":"store_recovered"}`,
		}},
	} {
		r, w := io.Pipe()
		ctx, stop := context.WithCancel(t.Context())
		code := make(chan int)
		var stderr bytes.Buffer
		go func() {
			c := run(ctx, strings.Fields("-m "+m.Addr+" watch -every 10ms "+c.flags), w, &stderr)
			w.Close()
			code <- c
		}()
		lines := bufio.NewScanner(r)
		for i, want := range c.want {
			if !lines.Scan() || !strings.Contains(lines.Text(), want) {
				t.Fatalf("line %d is %q, want one with %q", i, lines.Text(), want)
			}
			switch i {
			case 0:
				operate(t, m.Addr, "set", "20")
			case 1:
				operate(t, m.Addr, "set", "30", "-note", "ana")
			case 2:
				operate(t, m.Addr, "del")
			case 3:
				m.Kill()
			case 4:
				m.Start()
			}
		}
		stop()
		if lines.Scan() {
			t.Errorf("after the interrupt: %q", lines.Text())
		}
		if c := <-code; c != 0 || stderr.Len() > 0 {
			t.Errorf("exit %d: %s", c, &stderr)
		}
	}
}

func operate(t *testing.T, addr string, words ...string) {
	t.Helper()
	var out bytes.Buffer
	if code := run(t.Context(), append(words, "-m", addr), &out, &out); code != 0 {
		t.Fatalf("%v: exit %d: %s", words, code, &out)
	}
}

// A reader that goes away (`watch | head -1`) ends the watch.
func TestWatchEndsWhenNobodyReads(t *testing.T) {
	m := testserver.Memcached(t)
	r, w := io.Pipe()
	r.Close()
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"-m", m.Addr, "watch"}, w, &stderr); code != 2 || !strings.Contains(stderr.String(), "closed pipe") {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}
