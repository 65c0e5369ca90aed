package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/examples/internal/programtest"
)

// Whoever cannot be started is told why, in one line, and leaves nothing behind.
func TestCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	unused := filepath.Join(folder, "unused.db")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-addr", taken.Addr().String(), "-db", "sqlite:" + unused}, "address already in use"},
		{[]string{"-addr", "127.0.0.1:99999", "-db", "sqlite:" + unused}, "invalid port"},
		{[]string{"-db", "sqlite:" + folder + "/none/a.db"}, folder + "/none/a.db: no such file or directory"},
		{[]string{"-db", "sqlite:" + folder}, folder + ": is a directory"},
		{[]string{"-db", "sqlite:" + text}, "file is not a database"},
		{[]string{"-db", "postgres://127.0.0.1:1/appsync"}, "connection refused"},
		{[]string{"-faults", folder + "/none.yaml", "-db", "sqlite:" + unused}, "-faults: open " + folder + "/none.yaml: no such file"},
		{[]string{"-budget", "-1s", "-addr", "5000"}, `-addr "5000"`},
	} {
		p := programtest.Start(t, append([]string{"-addr", "127.0.0.1:0"}, c.args...)...)
		var exit *exec.ExitError
		err := p.Wait()
		said, _, _ := strings.Cut(p.Log(), "\n")
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%q ended with %v", c.args, err)
		}
		if !strings.HasPrefix(said, "syncserver: ") || !strings.Contains(p.Log(), c.want) {
			t.Errorf("%q said %q, want %q", c.args, p.Log(), c.want)
		}
		if line, ok := p.Line(); ok {
			t.Errorf("%q said %q", c.args, line)
		}
	}
	if _, err := os.Stat(unused); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database was made: %v", err)
	}
}
