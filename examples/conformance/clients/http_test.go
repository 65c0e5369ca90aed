package clients

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

var web = client{
	name: "net/http",
	serve: func(c net.Conn, reply func([]byte) error) error {
		for r := bufio.NewReader(c); ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return err
			}
			io.Copy(io.Discard, req.Body)
			if err := reply([]byte("HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\nhello, this is a reply of forty-five letters.")); err != nil {
				return err
			}
		}
	},
	open: func(t *testing.T, addr string, dial dialFunc) func() error {
		transport := &http.Transport{DialContext: dial}
		t.Cleanup(transport.CloseIdleConnections)
		c := &http.Client{Transport: transport, Timeout: patience}
		return func() error {
			res, err := c.Get("http://" + addr + "/")
			if err != nil {
				return err
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err == nil && len(body) != 45 {
				err = fmt.Errorf("got %q", body)
			}
			return err
		}
	},
}
