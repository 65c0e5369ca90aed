// Package programtest runs a command as a process of its own: one that takes
// signals and can be killed.
//
// The process is the test binary itself, so that nothing has to be built, and
// what watches the tests watches it too:
//
//	func TestMain(m *testing.M) { programtest.Main(m, main) }
//
//	func TestItEnds(t *testing.T) {
//		p := programtest.Start(t, "-addr", "127.0.0.1:0")
//		line, ok := p.Line()
//		...
//		if err := p.Stop(); err != nil {
//			t.Errorf("SIGTERM: %v, want exit status 0", err)
//		}
//	}
package programtest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// asProgram is set in the environment of a process that is to be the command.
const asProgram = "PROGRAMTEST_RUN"

// Main is for TestMain. It runs the tests, or, in a process that Start has
// started, the command.
func Main(m *testing.M, main func()) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A Program is a process that runs the command. Its methods may be called by
// several goroutines at once.
type Program struct {
	cmd   *exec.Cmd
	lines chan string
	log   log
	ended chan struct{}
	err   error // how; once ended is closed
}

// Start runs the command with the test's own environment. The process is killed
// when the test ends; if the test has failed, what the process said on standard
// error is then in the test's log.
func Start(t testing.TB, args ...string) *Program {
	t.Helper()
	p := &Program{cmd: exec.Command(os.Args[0], args...), lines: make(chan string, 1000), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			select {
			case p.lines <- lines.Text():
			default: // nobody reads so many
			}
		}
		close(p.lines)
		p.err = p.cmd.Wait() // closes the pipe, so it comes after the reading
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%q said:\n%s", args, p.Log())
		}
	})
	return p
}

// Line waits for the next line that the process prints on standard output, and
// returns it without its end. It reports false when there will be no more. Of
// lines that are not asked for the first thousand are kept.
func (p *Program) Line() (string, bool) {
	line, ok := <-p.lines
	return line, ok
}

// Log returns what the process has said on standard error so far.
func (p *Program) Log() string { return p.log.String() }

// Pid is its process id.
func (p *Program) Pid() int { return p.cmd.Process.Pid }

// Wait waits until the process has ended, and returns how: nil for exit status
// 0, else an *exec.ExitError.
func (p *Program) Wait() error {
	<-p.ended
	return p.err
}

// Kill ends the process at once, as a crash would, and waits until it has ended.
func (p *Program) Kill() {
	_ = p.cmd.Process.Kill() // or it has ended already
	<-p.ended
}

// Signal sends it a signal.
func (p *Program) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// Stop asks the process to end (SIGTERM), and waits as Wait does.
func (p *Program) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait()
}

// log is a buffer that one process writes and tests read.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
