package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/testserver"
)

var update = flag.Bool("update", false, "write what the commands print into testdata")

func TestMain(m *testing.M) { leak.Main(m) }

// TestTranscripts plays the sessions in testdata against a real memcached. A
// line that begins with "$ " is a command; what it should print, and exit with
// if not 0, follows. ADDR is the memcached's, TIME any time.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			m := testserver.Memcached(t)
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want), m.Addr)
			if got == string(want) {
				return
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s went differently (go test -update writes it):\n%s", file, got)
		})
	}
}

var timestamp = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// play runs the commands of a transcript and returns it with what they print.
func play(t *testing.T, transcript, addr string) string {
	var played strings.Builder
	answered := false // the lines at hand are what a command printed
	for line := range strings.Lines(transcript) {
		line = strings.TrimSuffix(line, "\n")
		command, isCommand := strings.CutPrefix(line, "$ appsync-backoff")
		switch {
		case isCommand:
			fmt.Fprintln(&played, line)
			played.WriteString(execute(t, strings.ReplaceAll(command, "ADDR", addr), addr))
			answered = true
		case line == "" || strings.HasPrefix(line, "#"):
			answered = false
			fallthrough
		case !answered:
			fmt.Fprintln(&played, line)
		}
	}
	return played.String()
}

func execute(t *testing.T, command, addr string) string {
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), split(command), &stdout, &stderr)
	out := stdout.String()
	for line := range strings.Lines(stderr.String()) {
		out += "stderr: " + line
	}
	if code != 0 {
		out += fmt.Sprintf("exit: %d\n", code)
	}
	return timestamp.ReplaceAllString(strings.ReplaceAll(out, addr, "ADDR"), "TIME")
}

// split splits a command as a shell does; quotes are single ones only.
func split(command string) (words []string) {
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func TestHelpTeaches(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"get", "-h"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("exit %d, %s", code, &stderr)
	}
	for _, want := range []string{"set N", "-ttl", "-note", "-json", "watch", "exit codes:", "11211"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("-h does not mention %s", want)
		}
	}
}
