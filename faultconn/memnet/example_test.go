package memnet_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

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
