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
	entry  Entry // point, number and the like
	opened time.Time
	sides  [2]side
	close  sync.Once
}

// side is one direction.
type side struct {
	mu    sync.Mutex
	bytes int64
	shown int64
}

const (
	in  = 0
	out = 1
)

func (l *Log) wrap(point string, n int, inner net.Conn, server bool) net.Conn {
	peer := ""
	if a := inner.RemoteAddr(); a != nil {
		peer = a.String()
	}
	c := &conn{
		Conn: inner, log: l, opened: time.Now(),
		entry: Entry{Point: point, Conn: n, Peer: peer, Server: server},
	}
	c.tell(Entry{Kind: Open})
	return c.as(inner)
}

func (c *conn) tell(e Entry) {
	e.Time, e.Point, e.Conn, e.Server, e.Peer = time.Now(), c.entry.Point, c.entry.Conn, c.entry.Server, c.entry.Peer
	c.log.tell(e)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.data(in, In, b[:max(n, 0)])
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
	c.data(out, Out, b)
	n, err := c.Conn.Write(b)
	if short := len(b) - n; short > 0 {
		s := &c.sides[out]
		s.mu.Lock()
		s.bytes -= int64(short)
		s.mu.Unlock()
	}
	if err != nil {
		c.tell(Entry{Kind: Error, Err: err})
	}
	return n, err
}

// data tells of bytes that have passed, as far as they are to be shown.
func (c *conn) data(dir int, kind Kind, b []byte) {
	if len(b) == 0 {
		return
	}
	s := &c.sides[dir]
	s.mu.Lock()
	e := Entry{Kind: kind, Offset: s.bytes, Size: len(b)}
	show := len(b)
	perEntry, perConn := c.log.limits()
	if perEntry >= 0 {
		show = min(show, perEntry)
	}
	if perConn >= 0 {
		show = int(min(int64(show), max(0, int64(perConn)-s.shown)))
	}
	s.bytes += int64(len(b))
	s.shown += int64(show)
	s.mu.Unlock()
	if show > 0 {
		// A secret that the limit cuts in two would not be recognised.
		whole := append([]byte(nil), b...)
		if c.log.Redact != nil {
			whole = c.log.Redact(c.entry.Point, whole)
		}
		e.Data = whole[:min(show, len(whole))]
	}
	c.tell(e)
}

func (c *conn) total(dir int) int64 {
	s := &c.sides[dir]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.close.Do(func() {
		c.tell(Entry{Kind: Close, Open: time.Since(c.opened), Written: c.total(out), Read: c.total(in)})
	})
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
