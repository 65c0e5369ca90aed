package clients

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
)

var memcached = client{
	name: "gomemcache",
	serve: func(c net.Conn, reply func([]byte) error) error {
		for r := bufio.NewReader(c); ; {
			if _, err := r.ReadString('\n'); err != nil {
				return err
			}
			if err := reply([]byte("VALUE key 0 5\r\nhello\r\nEND\r\n")); err != nil {
				return err
			}
		}
	},
	open: func(t *testing.T, addr string, dial dialFunc) func() error {
		mc := memcache.New(addr)
		mc.Timeout = patience
		mc.DialContext = dial
		t.Cleanup(func() { mc.Close() })
		return func() error {
			item, err := mc.Get("key")
			if err == nil && string(item.Value) != "hello" {
				err = fmt.Errorf("got %q", item.Value)
			}
			return err
		}
	},
}
