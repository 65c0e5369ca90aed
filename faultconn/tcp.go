package faultconn

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// tcpConn wraps a *net.TCPConn, or another tcpConn.
type tcpConn struct {
	*conn
	tcp tcpSocket
}

// slice is how much io.Copy moves between two looks at the plan.
const slice = 256 << 10

// passes reports whether nothing stands between io.Copy and the socket.
func (c *tcpConn) passes() bool { return c.clear() || c.free() }

// ReadFrom lets net use sendfile and splice while no plan strikes here.
func (c *tcpConn) ReadFrom(r io.Reader) (int64, error) {
	return alternate(c.passes, func() (int64, bool, error) {
		// net looks through one LimitedReader, not through two.
		limited, ok := r.(*io.LimitedReader)
		if !ok {
			limited = &io.LimitedReader{R: r, N: slice}
		}
		part := &io.LimitedReader{R: limited.R, N: min(limited.N, slice)}
		asked := part.N
		n, err := c.tcp.ReadFrom(part)
		limited.N -= asked - part.N
		if err != nil {
			err = c.failed("write", err)
		}
		return n, part.N > 0 || asked < slice, err
	}, func(buf []byte) (int64, bool, error) {
		return move(c, r, buf)
	})
}

// WriteTo lets net use splice while no plan strikes here.
func (c *tcpConn) WriteTo(w io.Writer) (int64, error) {
	return alternate(c.passes, func() (int64, bool, error) {
		part := &io.LimitedReader{R: c.inner, N: slice}
		n, err := io.Copy(w, part)
		if err != nil {
			err = c.failed("read", err)
		}
		return n, part.N > 0, err
	}, func(buf []byte) (int64, bool, error) {
		return move(w, c, buf)
	})
}

// alternate copies by the fast step while it may and by the slow one otherwise,
// until one of them says that it is done.
func alternate(may func() bool, fast func() (int64, bool, error), slow func([]byte) (int64, bool, error)) (total int64, err error) {
	var buf []byte
	for done := false; !done && err == nil; {
		var n int64
		if may() {
			n, done, err = fast()
		} else {
			if buf == nil {
				buf = make([]byte, 32<<10)
			}
			n, done, err = slow(buf)
		}
		total += n
	}
	return total, err
}

// move is one step of a plain copy.
func move(w io.Writer, r io.Reader, buf []byte) (n int64, done bool, err error) {
	m, rerr := r.Read(buf)
	if m > 0 {
		k, err := w.Write(buf[:m])
		if err == nil && k < m {
			err = io.ErrShortWrite
		}
		if err != nil {
			return int64(k), true, err
		}
	}
	if rerr == io.EOF {
		return int64(m), true, nil
	}
	return int64(m), false, rerr
}

func (c *tcpConn) CloseWrite() error                     { return c.closeWrite(c.tcp) }
func (c *tcpConn) CloseRead() error                      { return c.closeRead(c.tcp) }
func (c *tcpConn) SyscallConn() (syscall.RawConn, error) { return c.rawConn(c.tcp) }
func (c *tcpConn) File() (*os.File, error)               { return c.tcp.File() }
func (c *tcpConn) SetReadBuffer(bytes int) error         { return c.set(c.tcp.SetReadBuffer(bytes)) }
func (c *tcpConn) SetWriteBuffer(bytes int) error        { return c.set(c.tcp.SetWriteBuffer(bytes)) }
func (c *tcpConn) SetLinger(sec int) error               { return c.set(c.tcp.SetLinger(sec)) }
func (c *tcpConn) SetNoDelay(noDelay bool) error         { return c.set(c.tcp.SetNoDelay(noDelay)) }
func (c *tcpConn) SetKeepAlive(keepalive bool) error     { return c.set(c.tcp.SetKeepAlive(keepalive)) }
func (c *tcpConn) SetKeepAlivePeriod(d time.Duration) error {
	return c.set(c.tcp.SetKeepAlivePeriod(d))
}
func (c *tcpConn) MultipathTCP() (bool, error) { return c.tcp.MultipathTCP() }
func (c *tcpConn) SetKeepAliveConfig(config net.KeepAliveConfig) error {
	return c.set(c.tcp.SetKeepAliveConfig(config))
}
