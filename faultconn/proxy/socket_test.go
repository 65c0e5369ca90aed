package proxy_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/brownout-go/brownout/faultconn/proxy"
)

// through serves p for l in front of a backend, and returns both outer
// ends of one connection.
func through(t *testing.T, p *proxy.Proxy, backend, l net.Listener) (client, server net.Conn) {
	t.Helper()
	p.Network, p.Upstream = backend.Addr().Network(), backend.Addr().String()
	go p.Serve(l)
	t.Cleanup(func() { p.Close(); backend.Close() })
	client, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if server, err = backend.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func listen(t *testing.T, network string) net.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Half-close on the sockets of the kernel, TCP and Unix mixed.
func TestSockets(t *testing.T) {
	for _, front := range []string{"tcp", "unix"} {
		for _, back := range []string{"tcp", "unix"} {
			t.Run(front+" to "+back, func(t *testing.T) {
				client, server := through(t, &proxy.Proxy{}, listen(t, back), listen(t, front))
				client.Write([]byte("request"))
				client.(interface{ CloseWrite() error }).CloseWrite()
				if got, err := io.ReadAll(server); string(got) != "request" || err != nil {
					t.Fatalf("the server read %q, %v", got, err)
				}
				server.Write([]byte("reply"))
				server.Close()
				if got, err := io.ReadAll(client); string(got) != "reply" || err != nil {
					t.Fatalf("the client read %q, %v", got, err)
				}
			})
		}
	}
}

// A real RST, both ways and on command on an idle connection.
func TestSocketReset(t *testing.T) {
	for name, reset := range map[string]func(p *proxy.Proxy, client, server net.Conn) (witness net.Conn){
		"server": func(p *proxy.Proxy, client, server net.Conn) net.Conn {
			server.(*net.TCPConn).SetLinger(0)
			server.Close()
			return client
		},
		"client": func(p *proxy.Proxy, client, server net.Conn) net.Conn {
			client.(*net.TCPConn).SetLinger(0)
			client.Close()
			return server
		},
		"command, client": func(p *proxy.Proxy, client, server net.Conn) net.Conn {
			p.Conns()[0].Reset()
			return client
		},
		"command, server": func(p *proxy.Proxy, client, server net.Conn) net.Conn {
			p.Conns()[0].Reset()
			return server
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := &proxy.Proxy{}
			client, server := through(t, p, listen(t, "tcp"), listen(t, "tcp"))
			client.Write([]byte("x"))
			wantRead(t, server, "x")
			server.Write([]byte("y"))
			wantRead(t, client, "y")
			witness := reset(p, client, server)
			if _, err := witness.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A client that leaves while the upstream is dialled, on the sockets of the
// kernel.
func TestSocketClientLeaves(t *testing.T) {
	for name, leave := range map[string]func(c net.Conn){
		"tcp":  func(c net.Conn) { c.Close() },
		"unix": func(c net.Conn) { c.Close() },
		"tcp reset": func(c net.Conn) {
			c.Write([]byte("request"))
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			gaveUp := make(chan struct{})
			p := &proxy.Proxy{Upstream: "silent:1", Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				close(gaveUp)
				return nil, ctx.Err()
			}}
			network, _, _ := strings.Cut(name, " ")
			l := listen(t, network)
			go p.Serve(l)
			defer p.Close()
			c, err := net.Dial(network, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			leave(c)
			<-gaveUp
		})
	}
}

func TestSocketBackendDown(t *testing.T) {
	backend := listen(t, "tcp")
	backend.Close()
	l := listen(t, "tcp")
	p := &proxy.Proxy{Upstream: backend.Addr().String()}
	go p.Serve(l)
	defer p.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Error(err)
		}
		return
	}
	defer client.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
}

// TLS on both sides: the listener and the dial function bring it.
func TestTLS(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	theirs := &tls.Config{Certificates: certs.TLS.Certificates}
	ours := certs.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	ours.ServerName = "example.com"

	backend := tls.NewListener(listen(t, "tcp"), theirs)
	defer backend.Close()
	l := tls.NewListener(listen(t, "tcp"), theirs)
	p := &proxy.Proxy{Upstream: backend.Addr().String(), Dial: (&tls.Dialer{Config: ours}).DialContext}
	go p.Serve(l)
	defer p.Close()

	served := make(chan error, 1)
	go func() {
		server, err := backend.Accept()
		if err == nil {
			defer server.Close()
			_, err = io.Copy(server, server)
		}
		served <- err
	}()
	client, err := tls.Dial("tcp", l.Addr().String(), ours)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.Write([]byte("both ways"))
	client.CloseWrite()
	if got, err := io.ReadAll(client); string(got) != "both ways" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
