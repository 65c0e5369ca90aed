package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// Server runs proxies and answers requests about them. The zero Server is ready
// to use and has no proxies. Its fields must not change once a method has been
// called; its methods may be called from any goroutine.
type Server struct {
	// Token, if set, has to come with each request: "Authorization: Bearer
	// TOKEN". The clients of Toxiproxy and vaurien cannot send one.
	Token string

	// Hosts are names, without a port, under which a server on a loopback
	// address may be called, besides localhost and addresses.
	Hosts []string

	// Catalogue has the faults that plans may name. nil is all there are: those
	// of fault.Catalogue and framing.Catalogue.
	Catalogue faultconn.Catalogue

	// Seed is that of the draws for toxics, and of vaurien's behaviors. Two
	// servers with one seed choose the same connections.
	Seed uint64

	// Listen opens the listeners of proxies. nil is that of a zero
	// net.ListenConfig.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)

	// Dial connects proxies to their upstreams. nil is that of a zero net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// WrapDial wraps the dial function of each proxy, faults included. It fits
	// transcript.Log.Dialer. nil wraps nothing.
	WrapDial func(proxy string, dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error)

	// OnFault is told of each fault that strikes, OnConn of what happens to
	// connections. They are called from the goroutines of the connections and
	// must not block. nil: nobody is told.
	OnFault func(faultconn.Event)
	OnConn  func(proxy.Event)

	changes  turn     // of calls that change something, one at a time
	scenario *running // guarded by changes; nil: none has been started

	mu      sync.Mutex // guards what follows; never held across a wait
	proxies map[string]*entry
	closed  bool // nothing begins any more

	events  hub
	closing sync.WaitGroup // proxies on their way out, scenarios
}

// listening bounds how long it takes to resolve and open a listening address.
const listening = 5 * time.Second

var (
	errExists   = errors.New("proxy already exists")
	errNotFound = errors.New("proxy not found")
	errClosed   = fmt.Errorf("server is closed: %w", net.ErrClosed)
)

// Add starts a proxy, or only notes it if it is disabled. On an error nothing
// has changed.
func (s *Server) Add(p Proxy) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	_, err := s.add(p)
	return prefixed(err)
}

// Remove ends the proxy and its connections.
func (s *Server) Remove(name string) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	return prefixed(s.remove(name))
}

// SetPlan puts a plan in force in the place of the proxy's plan before.
func (s *Server) SetPlan(name string, p faultconn.Plan) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	e, err := s.lookup(name)
	if err == nil {
		err = s.alter(e, func(next *state) { next.plan = p })
	}
	return prefixed(err)
}

// Proxies returns the proxies as they are now, by name. Listen is the address
// that a proxy listens on, with its port.
func (s *Server) Proxies() []Proxy {
	var all []Proxy
	for _, e := range s.entries() {
		all = append(all, e.describe())
	}
	return all
}

// Close ends the scenario, all proxies, their connections and the streams of
// events, and waits for them.
func (s *Server) Close() error {
	s.changes.Lock()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.halt()
	for _, e := range s.entries() {
		s.stop(e)
	}
	s.changes.Unlock()
	s.events.close()
	s.closing.Wait()
	return nil
}

// Shutdown stops listening and waits until the connections have ended by
// themselves. If ctx ends first it returns an error that names those that are
// left, and leaves them to Close. Faults can still be changed meanwhile; what
// would listen anew, or start a scenario, is refused.
func (s *Server) Shutdown(ctx context.Context) error {
	s.changes.Lock()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.halt()
	var errs []error
	var proxies []*proxy.Proxy
	for _, e := range s.entries() {
		if r := e.running(); r != nil {
			proxies = append(proxies, r.proxy)
		}
	}
	s.changes.Unlock()
	results := make(chan error, len(proxies))
	for _, p := range proxies {
		go func() { results <- p.Shutdown(ctx) }()
	}
	for range proxies {
		errs = append(errs, <-results)
	}
	return prefixed(errors.Join(errs...))
}

// add is called with s.changes held, like all methods that change something.
func (s *Server) add(p Proxy) (*entry, error) {
	st, err := p.check()
	if err != nil {
		return nil, err
	}
	if _, err := s.lookup(p.Name); err == nil {
		return nil, errExists
	}
	if err := s.checkLoop(p.Listen, p.Upstream); err != nil {
		return nil, err
	}
	e := s.entry(p.Name, p.Listen, p.Upstream)
	if err := e.use(st); err != nil {
		return nil, badRequest("%w", err)
	}
	if !p.Disabled {
		l, err := s.listen(p.Listen)
		if err != nil {
			return nil, err
		}
		s.start(e, l)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proxies == nil {
		s.proxies = map[string]*entry{}
	}
	s.proxies[e.name] = e
	return e, nil
}

func (s *Server) checkLoop(listen, upstream string) error {
	if s.Listen == nil && s.Dial == nil && loops(listen, upstream) {
		return badRequest("upstream %.100q: is where the proxy itself listens", upstream)
	}
	return nil
}

func (s *Server) remove(name string) error {
	e, err := s.lookup(name)
	if err != nil {
		return err
	}
	s.stop(e)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.proxies, name)
	return nil
}

func (s *Server) lookup(name string) (*entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.proxies[name]
	if e == nil {
		return nil, errNotFound
	}
	return e, nil
}

func (s *Server) entries() []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*entry
	for _, e := range s.proxies {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.name, b.name) })
	return all
}

// listen opens a listener. Its errors are errClosed or a *listenError.
func (s *Server) listen(address string) (net.Listener, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	l, err := s.open(address)
	if err != nil {
		return nil, &listenError{address, err}
	}
	return l, nil
}

func (s *Server) open(address string) (net.Listener, error) {
	listen := s.Listen
	if listen == nil {
		listen = new(net.ListenConfig).Listen
	}
	ctx, cancel := context.WithTimeout(context.Background(), listening)
	defer cancel()
	network, address := split(address)
	l, err := listen(ctx, network, address)
	if s.Listen == nil && network == "unix" && errors.Is(err, syscall.EADDRINUSE) && stale(address) && os.Remove(address) == nil {
		return listen(ctx, network, address)
	}
	return l, err
}

func (s *Server) catalogue() faultconn.Catalogue {
	if s.Catalogue == nil {
		return append(fault.Catalogue(), framing.Catalogue()...)
	}
	return s.Catalogue
}

func prefixed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("control: %w", err)
}
