//go:build unix

package testserver

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServersServe(t *testing.T) {
	for name, open := range map[string]func(TB) *Server{
		"memcached": Memcached, "redis": Redis, "postgres": Postgres, "mariadb": MariaDB, "slapd": Slapd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for range 2 { // the second time after a crash, on the same address and data
				c, err := net.Dial("tcp", s.Addr)
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				s.Kill()
				if c, err := net.Dial("tcp", s.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
					if err == nil {
						c.Close()
					}
					t.Fatalf("dial after Kill: %v, want connection refused", err)
				}
				s.Start()
			}
		})
	}
}

// A client that dials a server which is down must not be given the server's own port.
func TestPortsAreNotForClients(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Skip(err)
	}
	var low, high int
	if _, err := fmt.Sscan(string(text), &low, &high); err != nil || low < 32<<10 {
		t.Skipf("this system gives clients the ports %s (%v)", text, err)
	}
	for range 100 {
		if _, port := freePort(t); port >= low && port <= high {
			t.Fatalf("port %d is one of %d to %d", port, low, high)
		}
	}
}

func TestFreeze(t *testing.T) {
	s := Memcached(t)
	c, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Freeze()
	if _, err := c.Write([]byte("version\r\n")); err != nil {
		t.Fatal(err)
	}
	// Nothing can show that an answer never comes; that none is there yet is
	// checked without waiting for one.
	_ = c.SetReadDeadline(time.Now().Add(-time.Second))
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("frozen: read %d, %v", n, err)
	}
	_ = c.SetReadDeadline(time.Time{})
	s.Thaw()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "VERSION ") {
		t.Fatalf("thawed: %q, %v", line, err)
	}
}

func TestEcho(t *testing.T) {
	var c net.Conn
	t.Run("while it serves", func(t *testing.T) {
		addr := Echo(t)
		for range 2 {
			var err error
			if c, err = net.Dial("tcp", addr); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.SetDeadline(time.Now().Add(patience)) })
			fmt.Fprintln(c, "hello")
			if line, err := bufio.NewReader(c).ReadString('\n'); line != "hello\n" || err != nil {
				t.Fatalf("%q, %v", line, err)
			}
		}
	})
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the test: %v, want the end of the connection", err)
	}
}

// fake records how a test would have ended.
type fake struct {
	testing.TB
	outcome string
}

func (f *fake) Helper() {}
func (f *fake) Skipf(format string, args ...any) {
	f.outcome = "skip: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (f *fake) Fatalf(format string, args ...any) {
	f.outcome = "fail: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMissingProgram(t *testing.T) {
	for _, c := range []struct{ ci, want string }{
		{"", "skip: no-such-program is not installed: apt-get install some-package"},
		{"true", "fail: no-such-program is not installed: apt-get install some-package"},
	} {
		t.Setenv("CI", c.ci)
		f, done := &fake{}, make(chan struct{})
		go func() {
			defer close(done)
			find(f, "no-such-program", "some-package")
		}()
		<-done
		if f.outcome != c.want {
			t.Errorf("CI=%q: %q, want %q", c.ci, f.outcome, c.want)
		}
	}
}
