package transcript

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// conn tells the log what its user does.
type conn struct {
	net.Conn
	log    *Log
	about  Entry // point, number and the like
	opened time.Time

	mu       sync.Mutex // held while the log is told, so that it hears in order
	sides    [2]side
	patience *time.Timer // nil until something has been kept
	waiting  bool        // patience runs
	closed   bool
}

func (l *Log) wrap(point string, n int, inner net.Conn, server bool) net.Conn {
	peer := ""
	if a := inner.RemoteAddr(); a != nil {
		peer = a.String()
	}
	c := &conn{
		Conn: inner, log: l, opened: time.Now(),
		about: Entry{Point: point, Conn: n, Peer: peer, Server: server},
	}
	c.tell(Entry{Kind: Open})
	return c.as(inner)
}

// tell tells of something else than data, behind the data.
func (c *conn) tell(e Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	c.entry(e)
}

// entry passes an entry on. c.mu is held.
func (c *conn) entry(e Entry) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Point, e.Conn, e.Server, e.Peer = c.about.Point, c.about.Conn, c.about.Server, c.about.Peer
	c.log.tell(e)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.data(in, b[:max(n, 0)])
	switch {
	case err == io.EOF:
		c.tell(Entry{Kind: EndIn})
	case err != nil:
		c.tell(Entry{Kind: Error, Err: err})
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	// Told first, or the reply might come first in the log.
	before := c.snapshot()
	c.data(out, b)
	n, err := c.Conn.Write(b)
	if n < len(b) {
		c.restore(before, b, max(n, 0))
	}
	if err != nil {
		c.tell(Entry{Kind: Error, Err: err})
	}
	return n, err
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.flush()
		c.entry(Entry{Kind: Close, Open: time.Since(c.opened), Written: c.sides[out].bytes, Read: c.sides[in].bytes})
	}
	return err
}

func (c *conn) closeWrite(inner interface{ CloseWrite() error }) error {
	err := inner.CloseWrite()
	if err == nil {
		c.tell(Entry{Kind: EndOut})
	}
	return err
}

// What connections offer beyond net.Conn. The wrapper offers what the wrapped
// one does and no more, because code asks.
type (
	writeCloser interface{ CloseWrite() error }
	netConner   interface{ NetConn() net.Conn }

	// beyond is what is passed on as it is, of connections shaped like TCP.
	beyond interface {
		CloseRead() error
		SetLinger(sec int) error
	}
	beyondUnix interface {
		CloseRead() error
		syscall.Conn
		File() (*os.File, error)
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	}
	beyondTCP interface {
		beyondUnix
		SetLinger(sec int) error
		SetNoDelay(noDelay bool) error
		SetKeepAlive(keepalive bool) error
		SetKeepAlivePeriod(d time.Duration) error
		SetKeepAliveConfig(config net.KeepAliveConfig) error
		MultipathTCP() (bool, error)
	}
)

type (
	halfConn struct { // CloseWrite and nothing else
		*conn
		w writeCloser
	}
	unwrapConn struct {
		*conn
		netConner
	}
	tlsConn struct {
		halfConn
		netConner
	}
	likeTCP struct {
		halfConn
		beyond
	}
	unixConn struct {
		halfConn
		beyondUnix
	}
	tcpConn struct {
		halfConn
		beyondTCP
	}
)

func (c *conn) as(inner net.Conn) net.Conn {
	w, canHalf := inner.(writeCloser)
	half := halfConn{c, w}
	n, canUnwrap := inner.(netConner)
	if canHalf {
		switch inner := inner.(type) {
		case beyondTCP:
			return &tcpConn{half, inner}
		case beyondUnix:
			return &unixConn{half, inner}
		case beyond:
			return &likeTCP{half, inner}
		}
		if canUnwrap {
			return &tlsConn{half, n}
		}
		return &half
	}
	if canUnwrap {
		return &unwrapConn{c, n}
	}
	return c
}

// CloseWrite ends the stream to the peer.
func (c *halfConn) CloseWrite() error { return c.closeWrite(c.w) }

// ReadFrom copies through Write.
func (c *tcpConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c.conn}, r)
}

// WriteTo copies through Read.
func (c *tcpConn) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c.conn})
}
