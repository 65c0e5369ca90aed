//go:build unix

package testserver

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/brownout-go/brownout/internal/wait"
)

// patience bounds how long a server may take to answer or to end. A loaded
// machine may take seconds; a sound one is done in a fraction of one.
const patience = 60 * time.Second

// A Server is one running process.
type Server struct {
	// Addr is its host:port.
	Addr string

	tb    TB
	path  string
	args  []string
	user  string // "" runs it as the test's own user
	ready func() error

	mu     sync.Mutex
	cmd    *exec.Cmd
	output *bytes.Buffer
	exited chan struct{}
}

// start runs the program and waits until ready returns nil; a nil ready waits
// for Addr to accept connections.
func start(tb TB, s *Server) *Server {
	tb.Helper()
	s.tb = tb
	if s.ready == nil {
		s.ready = func() error {
			c, err := net.DialTimeout("tcp", s.Addr, time.Second)
			if err != nil {
				return err
			}
			return c.Close()
		}
	}
	tb.Cleanup(s.Kill)
	s.Start()
	return s
}

// Start starts the server again, on the same address, after Kill.
func (s *Server) Start() {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return
	}
	cmd, output, exited := exec.Command(s.path, s.args...), new(bytes.Buffer), make(chan struct{})
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Dir = os.TempDir()
	cmd.SysProcAttr = credentials(s.tb, s.user)
	if err := cmd.Start(); err != nil {
		s.tb.Fatalf("testserver: start %s: %v", s.path, err)
	}
	go func() { _ = cmd.Wait(); close(exited) }()
	s.cmd, s.output, s.exited = cmd, output, exited

	var err error
	if !wait.Until(patience, func() bool {
		select {
		case <-exited:
			s.cmd = nil
			s.tb.Fatalf("testserver: %s ended instead of serving %s:\n%s", s.path, s.Addr, output)
		default:
		}
		err = s.ready()
		return err == nil
	}) {
		s.tb.Fatalf("testserver: %s does not serve %s after %v: %v", s.path, s.Addr, patience, err)
	}
}

// Kill ends the server at once, as a crash would, and waits until it is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
	s.cmd = nil
}

// Freeze stops the process without ending it (SIGSTOP): the kernel goes on
// accepting connections and bytes for it, and nothing answers. Kill and Thaw
// work on a frozen server. Of PostgreSQL this is the process that accepts;
// sessions that are open have processes of their own and go on.
func (s *Server) Freeze() {
	s.tb.Helper()
	s.signal(syscall.SIGSTOP)
	// The kernel stops the process soon, not at once.
	if !wait.Until(patience, s.stopped) {
		s.tb.Fatalf("testserver: %s does not stop", s.path)
	}
}

// stopped reports whether the process is stopped, where the system says so.
func (s *Server) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return true
	}
	_, state, _ := bytes.Cut(stat, []byte(") ")) // behind the name, which may hold anything
	return bytes.HasPrefix(state, []byte("T"))
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		s.tb.Fatalf("testserver: %s is not running", s.path)
		return
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatalf("testserver: signal %v to %s: %v", sig, s.path, err)
	}
}

// find returns the path of a program, or ends the test: skipped where the
// package may be missing, failed where CI promised it. Servers live in
// folders that are not on everybody's PATH.
func find(tb TB, program, debianPackage string, folders ...string) string {
	tb.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, folder := range append(folders, "/usr/sbin", "/usr/local/sbin", "/sbin") {
		matches, _ := filepath.Glob(filepath.Join(folder, program))
		for _, path := range matches {
			if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	report := tb.Skipf
	if os.Getenv("CI") == "true" {
		report = tb.Fatalf
	}
	report("%s is not installed: apt-get install %s", program, debianPackage)
	return ""
}

// freePort returns a loopback address that nothing listened on a moment ago. It is below
// those that the system gives to clients: while a server is down one of these could take
// its port, even by dialing it (TCP lets a connection be made to itself).
func freePort(tb TB) (addr string, port int) {
	tb.Helper()
	const low, high = 16 << 10, 32 << 10
	var err error
	for range 100 {
		port = low + rand.IntN(high-low)
		addr = "127.0.0.1:" + strconv.Itoa(port)
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			l.Close()
			return addr, port
		}
	}
	tb.Fatalf("testserver: no free port: %v", err)
	return "", 0
}

// folder makes a temporary folder that belongs to the server's user. The
// test's own TempDir is closed to other users.
func folder(tb TB, program, user string) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "testserver-"+program+"-")
	if err != nil {
		tb.Fatalf("testserver: %v", err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if attr := credentials(tb, user); attr != nil {
		if err := os.Chown(dir, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			tb.Fatalf("testserver: %v", err)
		}
	}
	return dir
}

// run runs a program that prepares the server's data.
func run(tb TB, user, path string, args ...string) {
	tb.Helper()
	cmd := exec.Command(path, args...)
	cmd.Dir = os.TempDir()
	cmd.SysProcAttr = credentials(tb, user)
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("testserver: %s: %v\n%s", fmt.Sprint(append([]string{path}, args...)), err, out)
	}
}
