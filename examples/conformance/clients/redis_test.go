package clients

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

var redisClient = client{
	name: "go-redis",
	serve: func(c net.Conn, reply func([]byte) error) error {
		for r := bufio.NewReader(c); ; {
			command, err := readCommand(r)
			if err != nil {
				return err
			}
			switch strings.ToLower(command[0]) {
			case "get":
				err = reply([]byte("$5\r\nhello\r\n"))
			case "hello":
				_, err = io.WriteString(c, "-ERR unknown command\r\n")
			default:
				_, err = io.WriteString(c, "+OK\r\n")
			}
			if err != nil {
				return err
			}
		}
	},
	open: func(t *testing.T, addr string, dial dialFunc) func() error {
		c := redis.NewClient(&redis.Options{
			Addr: addr, Dialer: dial, Protocol: 2, DisableIdentity: true, MaxRetries: -1, PoolSize: 1,
			DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, ContextTimeoutEnabled: true,
		})
		t.Cleanup(func() { c.Close() })
		return func() error {
			got, err := c.Get(t.Context(), "key").Result()
			if err == nil && got != "hello" {
				err = fmt.Errorf("got %q", got)
			}
			return err
		}
	},
}

// readCommand reads an array of bulk strings.
func readCommand(r *bufio.Reader) ([]string, error) {
	var n int
	if _, err := fmt.Fscanf(r, "*%d\r\n", &n); err != nil {
		return nil, err
	}
	command := make([]string, n)
	for i := range command {
		var size int
		if _, err := fmt.Fscanf(r, "$%d\r\n", &size); err != nil {
			return nil, err
		}
		b := make([]byte, size+2)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		command[i] = string(b[:size])
	}
	return command, nil
}
