package memnet_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// A server and its client, and no port of the machine.
func Example() {
	var network memnet.Network
	defer network.Close()

	l, err := network.Listen("tcp", "web:80")
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s at %s", r.RemoteAddr[:9], r.Host)
	})}
	go srv.Serve(l)
	defer srv.Close()

	transport := &http.Transport{DialContext: network.DialContext}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	res, err := client.Get("http://web/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fmt.Println(string(body), err)
	// Output: hello 127.0.0.1 at web <nil>
}

// HTTP/2 over TLS, with the certificates of httptest.
func ExampleNetwork_http2() {
	var network memnet.Network
	defer network.Close()

	l, err := network.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	srv.Listener.Close()
	srv.Listener = l
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()

	client := srv.Client()
	client.Transport.(*http.Transport).DialContext = network.DialContext
	res, err := client.Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fmt.Println(string(body), err)
	// Output: HTTP/2.0 <nil>
}

// TLS needs nothing but the two ends.
func ExampleNetwork_tls() {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS() // for its certificate only
	defer certs.Close()

	var network memnet.Network
	defer network.Close()
	l, err := network.Listen("tcp", "example.com:443")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := tls.NewListener(l, &tls.Config{Certificates: certs.TLS.Certificates}).Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.Copy(c, c)
	}()

	inner, err := network.Dial("tcp", "example.com:443")
	if err != nil {
		fmt.Println(err)
		return
	}
	config := certs.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	c := tls.Client(inner, config)
	defer c.Close()
	fmt.Fprint(c, "hello")
	c.CloseWrite()
	echo, err := io.ReadAll(c)
	fmt.Println(string(echo), err)
	// Output: hello <nil>
}

// Clients of caches and databases take the dial function of the network.
func ExampleNetwork_gomemcache() {
	var network memnet.Network
	defer network.Close()

	// The client's selector wants an address that needs no DNS.
	client := memcache.New("10.0.0.1:11211")
	client.DialContext = network.DialContext
	defer client.Close()

	_, err := client.Get("key")
	fmt.Println(err)
	fmt.Println("refused:", errors.Is(err, syscall.ECONNREFUSED))
	// Output:
	// dial tcp 10.0.0.1:11211: connect: connection refused
	// refused: true
}

// Faults come from a plan, as anywhere: an injector wraps the dial function.
func ExampleNetwork_DialContext_plan() {
	var network memnet.Network
	defer network.Close()
	inj := &faultconn.Injector{}
	dial := inj.Dialer("db", network.DialContext)

	err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{
		Fault:  fault.Reset{},
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	l, err := network.Listen("tcp", "db:5432")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.Copy(c, c)
		c.Close()
	}()

	c, err := dial(context.Background(), "tcp", "db:5432")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Fprint(c, "select 1")
	_, err = c.Read(make([]byte, 10))
	fmt.Println(err)
	// Output:
	// read tcp 127.0.0.1:32768->10.0.0.1:5432: read: connection reset by peer
}

// The database is off the network: a dial gets no answer, and a connection
// that was open gets none either, until the partition heals.
func ExampleNetwork_Partition() {
	var network memnet.Network
	defer network.Close()
	l, err := network.Listen("tcp", "db:5432")
	if err != nil {
		fmt.Println(err)
		return
	}
	app := network.Host("app")
	client, err := app.Dial("tcp", "db:5432")
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}

	network.Partition(memnet.Any, "db")
	fmt.Fprint(client, "select 1")
	server.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	buf := make([]byte, 100)
	_, err = server.Read(buf)
	fmt.Println(err)

	network.Heal(memnet.Any, "db")
	server.SetReadDeadline(time.Time{})
	n, err := server.Read(buf)
	fmt.Println(string(buf[:n]), err)
	// Output:
	// read tcp 10.0.0.1:5432->10.0.0.2:32768: i/o timeout
	// select 1 <nil>
}

// SetLinger(0) and Close send an RST, as on a *net.TCPConn.
func ExampleConn_SetLinger() {
	client, server := memnet.Pipe()
	defer client.Close()

	server.Write([]byte("HTTP/1.1 200 OK\r\n"))
	server.SetLinger(0)
	server.Close()

	reply, err := io.ReadAll(client)
	fmt.Printf("%q\n", reply)
	fmt.Println(err)
	// Output:
	// "HTTP/1.1 200 OK\r\n"
	// read tcp 127.0.0.1:32768->127.0.0.1:32769: read: connection reset by peer
}
