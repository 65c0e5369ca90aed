package memnet

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// Any stands for every host in the methods of [Network] that take two names.
const Any = "*"

const (
	defaultBuffer  = 64 << 10
	defaultBacklog = 4096 // net.core.somaxconn on Linux
)

// A Network is a set of hosts that can reach each other. The zero Network is
// ready to use: instant, unlimited, and nobody listens yet.
//
// Its methods can be called from several goroutines, and none waits for
// traffic. Its fields must not change once a method has been called. A Network
// that is used in a testing/synctest bubble must be made in it.
type Network struct {
	// Buffer is how many bytes each direction of a connection holds before
	// Write blocks; 0 is 64 KiB. Memory is taken as it is needed. A link with
	// a latency holds more: what is on its way.
	Buffer int

	// Backlog is how many connections wait for Accept before dials are no
	// longer answered; 0 is 4096, as on Linux.
	Backlog int

	// Link is what every link is like that SetLink does not say otherwise of.
	Link Link

	mu      sync.Mutex
	closed  bool
	changed chan struct{} // closed when something that a dial may wait for has changed
	names   map[string]*Host
	ips     map[netip.Addr]*Host
	lastIP  netip.Addr
	ports   map[netip.AddrPort]*listener
	pairs   map[*pair]struct{}
	links   map[route]Link
	cuts    map[route]bool
	holds   map[route]bool
	lines   map[route]*line
}

// A route is a link's two hosts by name.
type route struct{ from, to string }

// Listen listens on the network's host "localhost", or on the host that
// address names: "db:5432" makes the host db. The network must be "tcp",
// "tcp4" or "tcp6", which are all the same here. Port 0 or none takes a free
// one; see the Addr of the listener.
func (n *Network) Listen(network, address string) (net.Listener, error) {
	return n.listen(nil, network, address)
}

// Dial connects from the network's host "localhost" to address. It waits as
// long as TCP would: give up earlier with DialContext.
func (n *Network) Dial(network, address string) (net.Conn, error) {
	return n.Host("localhost").DialContext(context.Background(), network, address)
}

// DialContext is [Network.Dial] with a context, which ends only the dialling,
// not the connection. It has the shape that http.Transport, net.Dialer's users
// and database drivers ask for.
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return n.Host("localhost").DialContext(ctx, network, address)
}

// SetLink says what the link from one host to another is like, in this
// direction only, from now on: bytes that are on their way arrive as they
// would have. Either name can be [Any]; links between two named hosts come
// before those from one, those before links to one.
func (n *Network) SetLink(from, to string, l Link) {
	n.update(func() { n.links[n.route(from, to)] = l })
}

// Partition loses all packets between two hosts until [Network.Heal]: bytes
// written in the meantime are delivered after it, as TCP sends them again, but
// an RST is lost for good. A dial waits. Either name can be [Any], so that
// Partition(Any, "db") takes db off the network.
func (n *Network) Partition(a, b string) {
	n.update(func() { n.cuts[n.route(a, b)], n.cuts[n.route(b, a)] = true, true })
}

// PartitionOneWay is [Network.Partition] in one direction. What the host from
// sends is lost; it still receives.
func (n *Network) PartitionOneWay(from, to string) {
	n.update(func() { n.cuts[n.route(from, to)] = true })
}

// Heal undoes what Partition and PartitionOneWay did with these two names, in
// both directions.
func (n *Network) Heal(a, b string) {
	n.update(func() { delete(n.cuts, n.route(a, b)); delete(n.cuts, n.route(b, a)) })
}

// Hold keeps everything that one host sends to another, until
// [Network.Release]: bytes, FIN, RST and the packets of a dial. Nothing is
// lost and the order is kept. Writers block once the buffer is full. Either
// name can be [Any].
func (n *Network) Hold(from, to string) {
	n.update(func() { n.holds[n.route(from, to)] = true })
}

// Release delivers what [Network.Hold] with the same two names has kept.
func (n *Network) Release(from, to string) {
	n.update(func() { delete(n.holds, n.route(from, to)) })
}

// Close closes all listeners and both ends of all connections, and makes
// dials fail. Whoever is blocked gets net.ErrClosed.
func (n *Network) Close() error {
	n.mu.Lock()
	n.init()
	n.closed = true
	n.notify()
	listeners, pairs := n.ports, n.pairs
	n.ports, n.pairs = nil, nil
	n.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
	for p := range pairs {
		p.ends[0].close(false)
		p.ends[1].close(false)
	}
	return nil
}

// init makes the maps. Like the methods below that say nothing else it is
// called with n.mu held.
func (n *Network) init() {
	if n.names != nil {
		return
	}
	n.changed = make(chan struct{})
	n.names = make(map[string]*Host)
	n.ips = make(map[netip.Addr]*Host)
	n.lastIP = netip.AddrFrom4([4]byte{10, 0, 0, 0})
	n.ports = make(map[netip.AddrPort]*listener)
	n.pairs = make(map[*pair]struct{})
	n.links = make(map[route]Link)
	n.cuts = make(map[route]bool)
	n.holds = make(map[route]bool)
	n.lines = make(map[route]*line)
}

// notify wakes the dials that wait.
func (n *Network) notify() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// update changes the rules for links, and the links with them. The caller
// does not hold n.mu.
func (n *Network) update(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.init()
	change()
	for p := range n.pairs {
		a, b := n.ips[hostIP(p.ends[0].local)], n.ips[hostIP(p.ends[1].local)]
		p.halves[0].setPath(n.path(a, b))
		p.halves[1].setPath(n.path(b, a))
	}
	n.notify()
}

// route turns the names a user gave into those of hosts.
func (n *Network) route(from, to string) route {
	name := func(s string) string {
		if s == Any {
			return s
		}
		return n.host(s).name
	}
	return route{name(from), name(to)}
}

// path is what the link between two hosts is like now.
func (n *Network) path(from, to *Host) path {
	p := path{Link: n.Link}
	exact := route{from.name, to.name}
	routes := [...]route{{Any, Any}, {Any, to.name}, {from.name, Any}, exact}
	for _, r := range routes {
		if l, ok := n.links[r]; ok {
			p.Link = l
		}
		switch {
		case n.cuts[r]:
			p.gate = cut
		case n.holds[r] && p.gate == open:
			p.gate = held
		}
	}
	if p.Bandwidth > 0 {
		if n.lines[exact] == nil {
			n.lines[exact] = &line{}
		}
		p.line = n.lines[exact]
	}
	return p
}

func (n *Network) buffer() int {
	if n.Buffer > 0 {
		return n.Buffer
	}
	return defaultBuffer
}

func (n *Network) backlog() int {
	if n.Backlog > 0 {
		return n.Backlog
	}
	return defaultBacklog
}

// forget is called by the last Close of a connection.
func (n *Network) forget(p *pair) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.pairs, p)
}
