package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/brownout-go/brownout/internal/behalf"
)

// Proxy copies between clients and an upstream. Its fields must not change
// once Serve has been called; its methods may be called from any goroutine.
// Upstream is the one field that has no usable zero value.
type Proxy struct {
	// Name is for events; "" is none.
	Name string

	// Network and Upstream are what Dial is called with. "" is "tcp".
	Network, Upstream string

	// Dial connects to the upstream. nil is a zero net.Dialer's DialContext.
	// The context ends when the connection is reset, when its client leaves or
	// when the proxy is closed.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// DialTimeout bounds Dial; 0 leaves it to Dial. The system gives up after
	// about two minutes.
	DialTimeout time.Duration

	// OnEvent is told what happens. It is called from the goroutines of the
	// connections and must not block. nil is nobody.
	OnEvent func(Event)

	pool buffers

	mu        sync.Mutex
	closing   bool
	done      chan struct{} // closed when closing
	listeners map[net.Listener]struct{}
	conns     map[uint64]*Conn
	lastID    uint64
	running   int           // calls of Serve, and connections
	idle      chan struct{} // closed when running is zero; nil while nobody waits
}

// init is called with p.mu held, like all methods that say nothing else.
func (p *Proxy) init() {
	if p.done == nil {
		p.done = make(chan struct{})
		p.listeners = make(map[net.Listener]struct{})
		p.conns = make(map[uint64]*Conn)
	}
}

// Serve accepts connections from l, and closes it in the end. It returns nil
// after Shutdown or Close, and before that the error of Accept, unless that is
// of a kind that passes: out of file descriptors, a connection that went away.
// It can be called for several listeners. Without an Upstream it fails at once.
func (p *Proxy) Serve(l net.Listener) error {
	if p.Upstream == "" {
		l.Close()
		return errors.New("proxy: serve: no Upstream is set: it is what Dial is called with")
	}
	p.mu.Lock()
	p.init()
	if p.closing {
		p.mu.Unlock()
		return l.Close()
	}
	p.listeners[l] = struct{}{}
	p.running++
	p.mu.Unlock()
	defer func() {
		l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.listeners, l)
		p.stopped()
	}()
	var delay time.Duration
	for {
		client, err := l.Accept()
		if err == nil {
			delay = 0
			p.start(client)
			continue
		}
		select {
		case <-p.done:
			return nil
		default:
		}
		if te, ok := err.(interface{ Temporary() bool }); !ok || !te.Temporary() {
			return fmt.Errorf("proxy: accept: %w", err)
		}
		p.emit(AcceptFailed, nil, err)
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-p.done:
			t.Stop()
			return nil
		}
	}
}

// start begins a connection. It does not wait for the upstream: a slow dial
// delays nobody else.
func (p *Proxy) start(client net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Conn{proxy: p, opened: time.Now(), client: client, cancel: cancel, done: make(chan struct{}), failed: make(chan struct{})}
	c.up.src, c.down.dst = client, client
	c.behalf.Addr = client.RemoteAddr().String()
	p.mu.Lock()
	if p.closing {
		p.mu.Unlock()
		cancel()
		abort(client)
		return
	}
	p.lastID++
	c.id = p.lastID
	p.conns[c.id] = c
	p.running++
	p.mu.Unlock()
	go c.run(behalf.Of(ctx, &c.behalf), cancel)
}

// ended is called once for each connection that start has begun.
func (p *Proxy) ended(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c.id)
	p.stopped()
}

func (p *Proxy) dial(ctx context.Context) (net.Conn, error) {
	if p.DialTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.DialTimeout)
		defer cancel()
	}
	dial := p.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	network := p.Network
	if network == "" {
		network = "tcp"
	}
	return dial(ctx, network, p.Upstream)
}

// Conns returns the open connections in the order in which they were accepted.
func (p *Proxy) Conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := make([]*Conn, 0, len(p.conns))
	for _, c := range p.conns {
		conns = append(conns, c)
	}
	slices.SortFunc(conns, func(a, b *Conn) int { return cmp.Compare(a.id, b.id) })
	return conns
}

// Conn returns the open connection with this Info.ID, nil if there is none.
func (p *Proxy) Conn(id uint64) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns[id]
}

// infos is taken with p.mu not held.
func (p *Proxy) infos() []Info {
	var infos []Info
	for _, c := range p.Conns() {
		infos = append(infos, c.Info())
	}
	return infos
}

// emit tells of c, or of the proxy itself if that is nil.
func (p *Proxy) emit(kind EventKind, c *Conn, err error) {
	if p.OnEvent == nil {
		return
	}
	e := Event{Time: time.Now(), Proxy: p.Name, Kind: kind, Err: err}
	if c != nil {
		e.Conn = c.Info()
	}
	p.OnEvent(e)
}
