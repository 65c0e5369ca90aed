// Package memcachewire keeps the memcache client from answers that would end the
// process. Both packages that talk to memcached dial through it.
package memcachewire

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
)

// maxValue is memcached's own bound unless it is told otherwise. Nothing of ours
// comes near it.
const maxValue = 1 << 20

// A Dialer makes connections.
type Dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// Bounded has the conns of a dialer end at an answer that says of a value that it
// is larger than any. The memcache client would make room for whatever size it
// reads, and one flipped bit makes billions of one: a space into a 0.
func Bounded(dial Dialer) Dialer {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &boundedConn{Conn: c}, nil
	}
}

type boundedConn struct {
	net.Conn
	skip int    // bytes of a value to come
	line []byte // of what is no value, as far as it is there
}

func (c *boundedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bad := c.follow(b[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

// follow keeps track of lines and values in an answer.
func (c *boundedConn) follow(b []byte) error {
	for len(b) > 0 {
		if n := min(c.skip, len(b)); n > 0 {
			c.skip -= n
			b = b[n:]
			continue
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			i = len(b) - 1
		}
		c.line = append(c.line, b[:i+1]...)
		if b = b[i+1:]; c.line[len(c.line)-1] != '\n' {
			if len(c.line) > maxValue {
				return fmt.Errorf("memcache: an answer's line goes on for %d bytes", len(c.line))
			}
			continue
		}
		f := bytes.Fields(c.line)
		if len(f) > 0 && string(f[0]) == "VALUE" { // key, flags, size, and perhaps more
			if len(f) < 4 {
				return fmt.Errorf("memcache: unexpected answer %q", c.line)
			}
			size, err := strconv.Atoi(string(f[3]))
			if err != nil || size < 0 || size > maxValue {
				return fmt.Errorf("memcache: a value of %.40q bytes", f[3])
			}
			c.skip = size + len("\r\n")
		}
		c.line = c.line[:0]
	}
	return nil
}
