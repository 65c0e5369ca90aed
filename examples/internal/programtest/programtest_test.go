package programtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/examples/internal/program"
)

func TestMain(m *testing.M) {
	Main(m, func() { program.Main("example", run) })
}

// run is a command for the tests of this package and of package program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("example", flag.ContinueOnError)
	fs.SetOutput(stderr)
	deaf := fs.Bool("deaf", false, "does not listen to its context")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return errors.New("takes no arguments")
	}
	fmt.Fprintln(stdout, "ready")
	<-ctx.Done()
	if *deaf {
		fmt.Fprintln(stdout, "not now")
		select {}
	}
	fmt.Fprintln(stdout, "done")
	return nil
}

func TestStopLetsItFinish(t *testing.T) {
	p := Start(t)
	if line, ok := p.Line(); line != "ready" || !ok {
		t.Fatalf("said %q, %v", line, ok)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if line, _ := p.Line(); line != "done" {
		t.Errorf("said %q in the end", line)
	}
	if line, ok := p.Line(); ok {
		t.Errorf("said %q after its end", line)
	}
}

// A second signal ends a command that does not finish.
func TestSecondSignal(t *testing.T) {
	p := Start(t, "-deaf")
	p.Line()
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if line, _ := p.Line(); line != "not now" {
		t.Fatalf("said %q", line)
	}
	var exit *exec.ExitError
	if err := p.Stop(); !errors.As(err, &exit) || exit.Exited() {
		t.Errorf("ended with %v, want by a signal", err)
	}
}

func TestKill(t *testing.T) {
	p := Start(t)
	p.Line()
	p.Kill()
	if line, ok := p.Line(); ok {
		t.Errorf("said %q when it was killed", line)
	}
	if p.Wait() == nil {
		t.Error("ended as if nothing were wrong")
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		arg, says string
		status    int
	}{
		{"surplus", "example: takes no arguments\n", 1},
		{"-wrong", "example: flag provided but not defined: -wrong\n", 1},
		{"-h", "does not listen to its context", 0},
	} {
		p := Start(t, c.arg)
		status := 0
		var exit *exec.ExitError
		if err := p.Wait(); errors.As(err, &exit) {
			status = exit.ExitCode()
		}
		if status != c.status || !strings.Contains(p.Log(), c.says) {
			t.Errorf("%s: exit status %d, and says %q; want %d and %q", c.arg, status, p.Log(), c.status, c.says)
		}
	}
}
