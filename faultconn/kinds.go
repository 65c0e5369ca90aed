package faultconn

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// What connections offer beyond net.Conn. A wrapper offers what the wrapped one
// does and no more, because code asks: net/http half-closes what has
// CloseWrite, io.Copy prefers ReadFrom.
type (
	writeCloser interface{ CloseWrite() error }
	readCloser  interface{ CloseRead() error }
	lingerer    interface{ SetLinger(sec int) error }
	netConner   interface{ NetConn() net.Conn }

	// halfCloser is what connections shaped like TCP offer, memnet's among them.
	halfCloser interface {
		writeCloser
		readCloser
		lingerer
	}

	// socket is what *net.UnixConn offers, but for its packet methods.
	socket interface {
		writeCloser
		readCloser
		syscall.Conn
		File() (*os.File, error)
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	}

	// tcpSocket is what *net.TCPConn offers.
	tcpSocket interface {
		socket
		lingerer
		io.ReaderFrom
		io.WriterTo
		SetNoDelay(noDelay bool) error
		SetKeepAlive(keepalive bool) error
		SetKeepAlivePeriod(d time.Duration) error
		SetKeepAliveConfig(config net.KeepAliveConfig) error
		MultipathTCP() (bool, error)
	}
)

var (
	_ tcpSocket = (*net.TCPConn)(nil)
	_ tcpSocket = (*tcpConn)(nil)
	_ socket    = (*net.UnixConn)(nil)
	_ socket    = (*unixConn)(nil)
)

// as gives the connection the methods of the one it wraps.
func (c *conn) as(inner net.Conn) net.Conn {
	switch inner := inner.(type) {
	case tcpSocket:
		return &tcpConn{conn: c, tcp: inner}
	case socket:
		return &unixConn{conn: c, unix: inner}
	case halfCloser:
		return &tcpLikeConn{c, inner}
	}
	w, canWrite := inner.(writeCloser)
	n, canUnwrap := inner.(netConner)
	switch {
	case canWrite && canUnwrap: // *tls.Conn
		return &tlsConn{closeWriteConn{c, w}, n}
	case canWrite:
		return &closeWriteConn{c, w}
	case canUnwrap:
		return &netConn{c, n}
	}
	return c
}

// unwrap is the way back from what as returned.
func unwrap(c net.Conn) *conn { return c.(interface{ self() *conn }).self() }

func (c *conn) self() *conn { return c }

type closeWriteConn struct {
	*conn
	w writeCloser
}

func (c *closeWriteConn) CloseWrite() error { return c.closeWrite(c.w) }

type netConn struct {
	*conn
	netConner
}

type tlsConn struct {
	closeWriteConn
	netConner
}

type tcpLikeConn struct {
	*conn
	halfCloser
}

func (c *tcpLikeConn) CloseWrite() error { return c.closeWrite(c.halfCloser) }
func (c *tcpLikeConn) CloseRead() error  { return c.closeRead(c.halfCloser) }
func (c *tcpLikeConn) SetLinger(sec int) error {
	return c.set(c.halfCloser.SetLinger(sec))
}

type unixConn struct {
	*conn
	unix socket
}

func (c *unixConn) CloseWrite() error                     { return c.closeWrite(c.unix) }
func (c *unixConn) CloseRead() error                      { return c.closeRead(c.unix) }
func (c *unixConn) SyscallConn() (syscall.RawConn, error) { return c.rawConn(c.unix) }
func (c *unixConn) File() (*os.File, error)               { return c.unix.File() }
func (c *unixConn) SetReadBuffer(bytes int) error         { return c.set(c.unix.SetReadBuffer(bytes)) }
func (c *unixConn) SetWriteBuffer(bytes int) error        { return c.set(c.unix.SetWriteBuffer(bytes)) }
