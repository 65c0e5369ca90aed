package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// A Door is a TCP listener that can be shut while it is being served, so that
// clients meet what they meet when a server is down, or behind a firewall that
// drops their packets:
//
//	door, err := proxy.Listen("tcp", "localhost:5433")
//	...
//	go p.Serve(door) // a Proxy, an http.Server, or anything else that takes a listener
//	defer p.Close()  // closes the door too
//
//	err = door.Refuse()    // connection refused
//	err = door.Blackhole() // no answer, until the client's own timeout
//	err = door.Open()
//
// Only the listening is shut: connections that are open are left alone. A plan
// can end those, and Proxy.Conns names them.
//
// All methods may be called from any goroutine. Errors name the operation and the
// address; after Close they are net.ErrClosed.
type Door struct {
	addr *net.TCPAddr

	mu        sync.Mutex
	listener  *net.TCPListener // nil while refusing
	mode      doorMode
	changed   chan struct{}       // closed when the mode changes
	accepting int                 // calls of Accept within the listener's
	left      *sync.Cond          // accepting has become less
	fillers   map[string]net.Conn // by local address: what fills the queue while packets are dropped
}

type doorMode uint8

const (
	doorOpen doorMode = iota
	doorRefusing
	doorDropping
	doorClosed
)

// Listen returns a door that is open. The network is "tcp", "tcp4" or "tcp6".
func Listen(network, address string) (*Door, error) {
	a, err := net.ResolveTCPAddr(network, address)
	if err != nil {
		return nil, fmt.Errorf("proxy: listen %s: %w", address, err)
	}
	l, err := net.ListenTCP(network, a)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	d := &Door{addr: l.Addr().(*net.TCPAddr), listener: l, changed: make(chan struct{})}
	d.left = sync.NewCond(&d.mu)
	return d, nil
}

// Addr returns the address, a *net.TCPAddr. It stays the same.
func (d *Door) Addr() net.Addr { return d.addr }

// Accept implements net.Listener. It waits while the door is shut.
func (d *Door) Accept() (net.Conn, error) {
	for {
		d.mu.Lock()
		l, mode, changed := d.listener, d.mode, d.changed
		switch mode {
		case doorClosed:
			d.mu.Unlock()
			return nil, &net.OpError{Op: "accept", Net: d.addr.Network(), Addr: d.addr, Err: net.ErrClosed}
		case doorOpen:
			d.accepting++
			d.mu.Unlock()
		default:
			d.mu.Unlock()
			<-changed
			continue
		}
		c, err := l.Accept()
		d.mu.Lock()
		d.accepting--
		d.left.Broadcast()
		same := d.changed == changed
		ours := err == nil && d.drop(c.RemoteAddr().String())
		d.mu.Unlock()
		switch {
		case ours:
			c.Close()
		case err == nil:
			return c, nil
		case same:
			return nil, err
		}
	}
}

// Open lets clients in again. After Refuse it needs the port to be still free.
func (d *Door) Open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.mode {
	case doorClosed:
		return d.fail("open", net.ErrClosed)
	case doorRefusing:
		if err := d.relisten(); err != nil {
			return d.fail("open", err)
		}
	case doorDropping:
		if err := setBacklog(d.listener, 4096); err != nil { // the kernel's own limit is lower, if any
			return d.fail("open", err)
		}
		if err := d.listener.SetDeadline(time.Time{}); err != nil {
			return d.fail("open", err)
		}
	}
	d.turn(doorOpen)
	return nil
}

// Refuse makes dials fail with ECONNREFUSED, as when no server runs. Clients
// that nobody has accepted yet are reset.
func (d *Door) Refuse() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.mode {
	case doorClosed:
		return d.fail("refuse", net.ErrClosed)
	case doorRefusing:
		return nil
	}
	d.dropAll()
	err := d.listener.Close()
	d.listener = nil
	d.turn(doorRefusing)
	if err != nil {
		return d.fail("refuse", err)
	}
	return nil
}

// Blackhole makes dials go unanswered, until they time out or the door opens
// or refuses, as when a firewall drops their packets. It needs no privileges,
// but Linux, and is errors.ErrUnsupported elsewhere. A client that dials
// meanwhile may get in after Open: its system tries again for two minutes.
//
// It works by giving the socket a queue of one connection and filling it, so
// one dial from this host is made, which Accept never returns.
func (d *Door) Blackhole() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mode == doorClosed {
		return d.fail("blackhole", net.ErrClosed)
	}
	if d.mode == doorDropping {
		return nil
	}
	if !canSetBacklog {
		return d.fail("blackhole", errors.ErrUnsupported)
	}
	if d.mode == doorRefusing {
		if err := d.relisten(); err != nil {
			return d.fail("blackhole", err)
		}
	}
	d.turn(doorDropping)
	// Whoever waits in Accept would empty the queue.
	if err := d.listener.SetDeadline(time.Unix(1, 0)); err != nil {
		return d.fail("blackhole", err)
	}
	for d.accepting > 0 {
		d.left.Wait()
	}
	if d.mode != doorDropping {
		return nil // another call came in between
	}
	if err := setBacklog(d.listener, 0); err != nil {
		return d.fail("blackhole", err)
	}
	// A dial that times out has found the queue full already.
	c, err := net.DialTimeout("tcp", d.addr.String(), 100*time.Millisecond)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		return d.fail("blackhole", err)
	}
	if err == nil {
		if d.fillers == nil {
			d.fillers = make(map[string]net.Conn)
		}
		d.fillers[c.LocalAddr().String()] = c
	}
	return nil
}

// Close closes the door for good.
func (d *Door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mode == doorClosed {
		return d.fail("close", net.ErrClosed)
	}
	d.dropAll()
	var err error
	if d.listener != nil {
		err = d.listener.Close()
	}
	d.turn(doorClosed)
	return err
}

// relisten takes the port again, with d.mu held.
func (d *Door) relisten() (err error) {
	d.listener, err = net.ListenTCP("tcp", d.addr)
	return err
}

// turn changes the mode, with d.mu held.
func (d *Door) turn(m doorMode) {
	d.mode = m
	close(d.changed)
	d.changed = make(chan struct{})
}

// drop ends the filler with this address, if there is one, with d.mu held.
func (d *Door) drop(address string) bool {
	c, ok := d.fillers[address]
	if ok {
		c.Close()
		delete(d.fillers, address)
	}
	return ok
}

func (d *Door) dropAll() {
	for address := range d.fillers {
		d.drop(address)
	}
}

func (d *Door) fail(op string, err error) error {
	return fmt.Errorf("proxy: %s %v: %w", op, d.addr, err)
}
