package timeout_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// A websocket, say, through httputil.ReverseProxy: it is handed over with the headers
// that middleware outside has set, and goes on for as long as a stream may.
func TestUpgradeThroughAReverseProxy(t *testing.T) {
	on(t, 1, func(s *site, serve func(http.Handler)) {
		echo, err := s.network.Listen("tcp", "backend:80")
		if err != nil {
			s.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			c, err := echo.Accept()
			if err != nil {
				s.Error(err)
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			if _, err := http.ReadRequest(in); err != nil {
				s.Error(err)
				return
			}
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			io.Copy(c, in)
			io.WriteString(c, "bye\n")
		}()
		transport := &http.Transport{DialContext: s.network.DialContext}
		told := make(chan error, 2)
		guard := backend(s.T, timeout.BackendConfig{Name: "echo", Breaker: breakerFunc(func() (func(error), error) {
			return func(err error) { told <- err }, nil
		})})
		proxy := &httputil.ReverseProxy{
			Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "backend"}) },
			Transport: guard.Transport(transport),
		}
		limited := limiter(s.T, timeout.Config{Stream: -1}).Handler(proxy)
		serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Request-Id", "7")
			limited.ServeHTTP(w, r)
		}))
		c := s.dial()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: site\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		in := bufio.NewReader(c)
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("X-Request-Id") != "7" {
			s.Errorf("got %+v, %v", res, err)
		}
		time.Sleep(100 * total)
		// A breaker that is half open need not wait for the end of the connection.
		if n := guard.Stats().InFlight; len(told) != 1 || <-told != nil || n != 1 {
			s.Errorf("the breaker was told %d times, %d calls are under way", len(told), n)
		}
		io.WriteString(c, "hello\n")
		if line, err := in.ReadString('\n'); line != "hello\n" || err != nil {
			s.Errorf("echoed %q, %v", line, err)
		}
		// Half of it ends here, and the answer to that still comes.
		if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			s.Error(err)
		}
		if rest, err := io.ReadAll(in); string(rest) != "bye\n" || err != nil {
			s.Errorf("in the end %q, %v", rest, err)
		}
		c.Close()
		<-served
		if len(told) != 0 {
			s.Errorf("the breaker was told %v in the end", <-told)
		}
		echo.Close()
		transport.CloseIdleConnections()
	})
}
