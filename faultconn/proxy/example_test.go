package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// The client knows nothing of the proxy but its address.
func Example() {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello")
	}))
	defer backend.Close()

	inj := &faultconn.Injector{}
	p := &proxy.Proxy{
		Upstream: backend.Listener.Addr().String(),
		Dial:     inj.Dialer("backend", nil),
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go p.Serve(l)
	defer p.Close()

	client := &http.Client{Timeout: 50 * time.Millisecond}
	defer client.CloseIdleConnections()
	get := func() {
		res, err := client.Get("http://" + l.Addr().String())
		if err != nil {
			fmt.Println("timeout:", err.(interface{ Timeout() bool }).Timeout())
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		fmt.Println(res.StatusCode, string(body))
	}

	get()
	err = inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{Fault: fault.Delay{For: 20 * time.Second}}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	get()
	// Output:
	// 200 hello
	// timeout: true
}

// Shutdown drains; Close ends what would not end.
func ExampleProxy_Shutdown() {
	p := &proxy.Proxy{Upstream: "localhost:5432"}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		fmt.Println(err) // names the connections that are still open
	}
	p.Close()
}

// Conns and their commands are for a control page, or for a test that wants to
// see what is under way.
func ExampleProxy_Conns() {
	p := &proxy.Proxy{Upstream: "localhost:5432"}
	defer p.Close()
	for _, c := range p.Conns() {
		if i := c.Info(); time.Since(i.Active) > time.Minute {
			c.Reset()
		}
	}
}

// A Door makes the service behind it refuse, or vanish; here it is an HTTP
// server, and as well it can be what a Proxy serves.
func ExampleDoor() {
	door, err := proxy.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := &http.Server{}
	go srv.Serve(door)
	defer srv.Close()

	door.Refuse()
	_, err = net.Dial("tcp", door.Addr().String())
	fmt.Println("refused:", errors.Is(err, syscall.ECONNREFUSED))

	fmt.Println("open:", door.Open())
	c, err := net.Dial("tcp", door.Addr().String())
	fmt.Println("dial:", err)
	if err == nil {
		c.Close()
	}
	// Output:
	// refused: true
	// open: <nil>
	// dial: <nil>
}
