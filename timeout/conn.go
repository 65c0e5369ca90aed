package timeout

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn returns c with the backend's limits on it, for clients that do not take a context.
//
// The time from a Write to the first byte that comes back is at most BackendConfig.Call;
// a Write takes at most as long. After that, each further Read waits at most
// BackendConfig.Idle, if it is set. A limit that is met gives an [*Error] around the
// connection's own timeout error. Read and Write may be used at the same time, and a Read
// that began before a Write is held to that Write's limit.
//
// So it is for protocols in which what is written is answered: HTTP/1, LDAP, memcached,
// Redis, those of databases. HTTP/2 is none, because a client may write what needs no
// answer and go on reading; for it there is [Backend.Transport]. Where the server speaks
// first, as with SMTP, its greeting answers nothing: set a deadline for that.
//
// Differences from c: deadlines that its user sets are kept, and the sooner one holds.
// CloseWrite, SyscallConn and ReadFrom are there where c has them; other methods of c are
// not. Deadlines set on c from outside are overwritten. What is done with a SyscallConn is
// held to the user's deadlines only.
func (b *Backend) Conn(c net.Conn) net.Conn {
	g := &conn{Conn: c, b: b}
	half, isHalf := c.(closeWriter)
	raw, isRaw := c.(syscall.Conn)
	from, isFrom := c.(io.ReaderFrom)
	switch {
	case isHalf && isRaw && isFrom:
		return &tcpConn{g, half, rawConn{g, raw}, from}
	case isHalf && isRaw:
		return &unixConn{g, half, rawConn{g, raw}}
	case isHalf:
		return &halfConn{g, half}
	default:
		return g
	}
}

type closeWriter interface{ CloseWrite() error }

type (
	tcpConn struct {
		*conn
		closeWriter
		rawConn
		from io.ReaderFrom
	}
	unixConn struct {
		*conn
		closeWriter
		rawConn
	}
	halfConn struct {
		*conn
		closeWriter
	}
)

type conn struct {
	net.Conn
	b *Backend

	mu     sync.Mutex
	asked  time.Time // the last Write, if nothing has come back since
	middle bool      // something has come back
	busy   int       // Reads and Writes under way
	waits  time.Time // when the Read that waits began
	read   time.Time // deadlines of the user
	write  time.Time
}

func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.waits = time.Now()
	err := c.armRead()
	if err == nil {
		c.busy++
	}
	c.mu.Unlock()
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) && !c.over(c.read, now) {
		reason, limit, since := ReasonIdle, c.b.config.Idle, c.waits
		if !c.asked.IsZero() {
			reason, limit, since = ReasonDeadline, c.b.config.Call, c.asked
		}
		err = c.b.meet(c.b.fail(reason, limit, now.Sub(since), err))
	}
	if n > 0 {
		c.asked, c.middle = time.Time{}, true
	}
	return n, err
}

// armRead sets the deadline for a Read that waits, or may come.
func (c *conn) armRead() error {
	var limit time.Time
	switch {
	case !c.asked.IsZero():
		limit = c.asked.Add(c.b.config.Call)
	case c.middle && c.b.config.Idle > 0:
		limit = c.waits.Add(c.b.config.Idle)
	}
	return c.Conn.SetReadDeadline(sooner(c.read, limit))
}

func (c *conn) Write(p []byte) (int, error) {
	start, err := c.ask()
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	return n, c.wrote(start, err)
}

// ask begins a Write: what comes back is due within the limit from here.
func (c *conn) ask() (time.Time, error) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked, c.middle = now, false
	if err := c.armRead(); err != nil {
		return now, err
	}
	if err := c.Conn.SetWriteDeadline(sooner(c.write, now.Add(c.b.config.Call))); err != nil {
		return now, err
	}
	c.busy++
	return now, nil
}

// wrote ends a Write.
func (c *conn) wrote(start time.Time, err error) error {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || c.over(c.write, now) {
		return err
	}
	return c.b.meet(c.b.fail(ReasonDeadline, c.b.config.Call, now.Sub(start), err))
}

func (c *tcpConn) ReadFrom(src io.Reader) (n int64, err error) {
	file, left := fileOf(src)
	if file == nil {
		return io.Copy(writerOnly{c.conn}, src)
	}
	for *left > 0 {
		start, err := c.ask()
		if err != nil {
			return n, err
		}
		part := &io.LimitedReader{R: file, N: min(piece, *left)}
		want := part.N
		m, err := c.from.ReadFrom(part)
		n, *left = n+m, *left-m
		if err := c.wrote(start, err); err != nil || m < want {
			return n, err
		}
	}
	return n, nil
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	return c.armRead()
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	var limit time.Time
	if !c.asked.IsZero() {
		limit = c.asked.Add(c.b.config.Call)
	}
	return c.Conn.SetWriteDeadline(sooner(t, limit))
}

// rawConn is for clients that look into a connection that has been idle: for
// go-sql-driver/mysql and go-redis one with a deadline that has passed is broken. So the
// limits of what is long over are taken off it. The next Read or Write sets its own.
type rawConn struct {
	c   *conn
	raw syscall.Conn
}

func (r rawConn) SyscallConn() (syscall.RawConn, error) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.c.busy == 0 {
		err := errors.Join(r.c.Conn.SetReadDeadline(r.c.read), r.c.Conn.SetWriteDeadline(r.c.write))
		if err != nil {
			return nil, err
		}
	}
	return r.raw.SyscallConn()
}

// over reports whether a user's deadline has passed.
func (c *conn) over(deadline, now time.Time) bool {
	return !deadline.IsZero() && !now.Before(deadline)
}

// sooner returns the earlier of two deadlines, where zero means none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
