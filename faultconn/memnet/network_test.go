package memnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

func TestNames(t *testing.T) {
	var n memnet.Network
	defer n.Close()
	db, err := n.Listen("tcp", "db:5432")
	if err != nil {
		t.Fatal(err)
	}
	if got := db.Addr().String(); got != "10.0.0.1:5432" {
		t.Errorf("db listens on %s", got)
	}
	app := n.Host("app")
	own, err := app.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []struct {
		from          *memnet.Host
		address       string
		local, remote string
	}{
		{n.Host(""), "db:5432", "127.0.0.1:32768", "10.0.0.1:5432"},
		{n.Host("127.0.0.1"), "10.0.0.1:5432", "127.0.0.1:32769", "10.0.0.1:5432"},
		{app, "db:5432", "10.0.0.2:32768", "10.0.0.1:5432"},
		{app, "localhost:80", "10.0.0.2:32769", "10.0.0.2:80"},
		{app, "[::1]:http", "10.0.0.2:32770", "10.0.0.2:80"},
		{n.Host("192.0.2.7"), "app:80", "192.0.2.7:32768", "10.0.0.2:80"},
		{n.Host("2001:db8::7"), "app:80", "[2001:db8::7]:32768", "10.0.0.2:80"},
	} {
		c, err := d.from.Dial("tcp", d.address)
		if err != nil {
			t.Errorf("%v to %s: %v", d.from, d.address, err)
			continue
		}
		if c.LocalAddr().String() != d.local || c.RemoteAddr().String() != d.remote {
			t.Errorf("%v to %s: %v -> %v, want %s -> %s", d.from, d.address, c.LocalAddr(), c.RemoteAddr(), d.local, d.remote)
		}
		if _, ok := c.RemoteAddr().(*net.TCPAddr); !ok {
			t.Errorf("RemoteAddr is a %T", c.RemoteAddr())
		}
	}
	if _, err := n.Dial("tcp", "localhost:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("app's port on another host: %v", err)
	}
	if _, err := app.Listen("tcp", "db:80"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("app listens on db's address: %v", err)
	}
	a, err := own.Accept()
	if err != nil || a.RemoteAddr().String() != "10.0.0.2:32769" {
		t.Errorf("accepted %v, %v", a.RemoteAddr(), err)
	}
}

func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.Network{Backlog: 2}
		defer n.Close()
		l, err := n.Listen("tcp", "server:80")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := n.Dial("tcp", "server:80"); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.DialContext(ctx, "tcp", "server:80"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		start := time.Now()
		time.AfterFunc(time.Second, func() { l.Accept() })
		if _, err := n.Dial("tcp", "server:80"); err != nil {
			t.Fatal(err)
		}
		wantElapsed(t, start, time.Second)
		time.AfterFunc(time.Second, func() { l.Close() })
		if _, err := n.Dial("tcp", "server:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("got %v", err)
		}
	})
}

// TestReadGetsNothingAfterClose: what is written once the reader is closed does
// not reach a Read that has yet to wake up and see it.
func TestReadGetsNothingAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			a, b := memnet.Pipe()
			done := make(chan struct{})
			go func() {
				defer close(done)
				if n, err := a.Read(make([]byte, 9)); n != 0 || !errors.Is(err, net.ErrClosed) {
					t.Errorf("Read: %d, %v; want net.ErrClosed", n, err)
				}
			}()
			synctest.Wait()
			a.Close()
			b.Write([]byte("too late"))
			<-done
			b.Close()
		}
	})
}

func TestListenerCloseResetsTheQueue(t *testing.T) {
	var n memnet.Network
	defer n.Close()
	l, err := n.Listen("tcp", "server:80")
	if err != nil {
		t.Fatal(err)
	}
	c, err := n.Dial("tcp", "server:80")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %v", err)
	}
}

func TestCloseWakesEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n memnet.Network
		client, server := connect(t, &n)
		l, err := n.Listen("tcp", "server:80")
		if err != nil {
			t.Fatal(err)
		}
		n.Partition("client", "server")
		calls := map[string]func() error{
			"accept": func() error { _, err := l.Accept(); return err },
			"read":   func() error { _, err := client.Read(make([]byte, 1)); return err },
			"write":  func() error { _, err := server.Write(make([]byte, 1<<20)); return err },
			"dial":   func() error { _, err := n.Host("client").Dial("tcp", "server:80"); return err },
		}
		var wg sync.WaitGroup
		for name, call := range calls {
			wg.Go(func() {
				if err := call(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		synctest.Wait()
		n.Close()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
		if _, err := n.Dial("tcp", "server:80"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("dial: %v", err)
		}
		if _, err := n.Listen("tcp", "server:81"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("listen: %v", err)
		}
	})
}

// Ten thousand connections that say something every five minutes, for an hour.
func TestTenThousandConns(t *testing.T) {
	conns := 10_000
	if testing.Short() || underRace {
		conns = 1000
	}
	start := time.Now()
	synctest.Test(t, func(t *testing.T) {
		n := memnet.Network{Link: memnet.Link{Latency: 30 * time.Millisecond}}
		defer n.Close()
		l, err := n.Listen("tcp", "server:80")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				wg.Go(func() {
					defer c.Close()
					io.Copy(c, c)
				})
			}
		})
		var clients sync.WaitGroup
		for range conns {
			clients.Go(func() {
				c, err := n.Dial("tcp", "server:80")
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				p := make([]byte, 4)
				for range 12 {
					time.Sleep(5 * time.Minute)
					c.SetDeadline(time.Now().Add(time.Second))
					if _, err := c.Write([]byte("ping")); err != nil {
						t.Error(err)
						return
					}
					if _, err := io.ReadFull(c, p); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		clients.Wait()
		l.Close()
		wg.Wait()
	})
	t.Logf("%d conns for a virtual hour took %v", conns, time.Since(start))
}

// A gomemcache client through two minutes without its server.
func TestGomemcache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.Network{Link: memnet.Link{Latency: time.Millisecond}}
		defer n.Close()
		l, err := n.Listen("tcp", "cache:11211")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { serveMemcache(l) })

		client := memcache.New("10.0.0.1:11211") // cache, for its selector resolves names on the machine
		client.Timeout = 500 * time.Millisecond
		client.DialContext = n.DialContext
		if err := client.Set(&memcache.Item{Key: "k", Value: []byte("v")}); err != nil {
			t.Fatal(err)
		}
		n.Partition(memnet.Any, "cache")
		outage := time.Now()
		time.AfterFunc(2*time.Minute, func() { n.Heal(memnet.Any, "cache") })
		failed := 0
		for {
			it, err := client.Get("k")
			if err == nil {
				if string(it.Value) != "v" {
					t.Fatalf("got %q", it.Value)
				}
				break
			}
			var ne net.Error
			var ce *memcache.ConnectTimeoutError
			if !errors.As(err, &ce) && !(errors.As(err, &ne) && ne.Timeout()) {
				t.Fatalf("got %v", err)
			}
			failed++
		}
		if d := time.Since(outage); d < 2*time.Minute || d > 2*time.Minute+time.Second || failed < 239 {
			t.Errorf("back after %v and %d failures", d, failed)
		}
		client.Close()
		l.Close()
		wg.Wait()
	})
}

// serveMemcache knows enough of the text protocol for one key at a time.
func serveMemcache(l net.Listener) {
	var mu sync.Mutex
	items := map[string][]byte{}
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			var in bytes.Buffer
			for {
				p := make([]byte, 512)
				n, err := c.Read(p)
				if err != nil {
					return
				}
				in.Write(p[:n])
				line, err := in.ReadString('\n')
				if err != nil {
					in.WriteString(line)
					continue
				}
				var key string
				var flags, exp, size int
				mu.Lock()
				if _, err := fmt.Sscanf(line, "set %s %d %d %d", &key, &flags, &exp, &size); err == nil {
					items[key] = bytes.Clone(in.Next(size))
					in.Next(2)
					fmt.Fprint(c, "STORED\r\n")
				} else if _, err := fmt.Sscanf(line, "gets %s", &key); err == nil {
					v, ok := items[key]
					if ok {
						fmt.Fprintf(c, "VALUE %s 0 %d 1\r\n%s\r\n", key, len(v), v)
					}
					fmt.Fprint(c, "END\r\n")
				} else {
					fmt.Fprint(c, "ERROR\r\n")
				}
				mu.Unlock()
			}
		})
	}
}

// Close ends all that waits in the network, as a bubble demands: a server, its
// connections, and a client that keeps one.
func TestCloseEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memnet.Network{}
		l, err := n.Listen("tcp", "web:80")
		if err != nil {
			t.Fatal(err)
		}
		go http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		client := &http.Client{Transport: &http.Transport{DialContext: n.DialContext}}
		res, err := client.Get("http://web/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		n.Close()
	})
}
