package memnet

import (
	"context"
	"net"
	"net/netip"
	"strconv"
)

// The ports that dials come from and port 0 takes, as on Linux.
const (
	firstPort = 32768
	lastPort  = 60999
)

// A Host is one machine on a [Network].
type Host struct {
	net  *Network
	name string
	ip   netip.Addr
	port uint16 // last ephemeral port given out; guarded by net.mu
}

// Host returns the host of this name, and makes it if it is new. "localhost"
// and addresses that mean it are the host that the methods of n act for.
func (n *Network) Host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.init()
	return n.host(name)
}

// Listen listens on this host. The host in address is empty, "localhost", an
// unspecified address, or the host itself; any other is EADDRNOTAVAIL.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	return h.net.listen(h, network, address)
}

// Dial connects from this host to address, where "localhost" means itself. It
// waits as long as TCP would.
func (h *Host) Dial(network, address string) (net.Conn, error) {
	return h.DialContext(context.Background(), network, address)
}

// String returns the name of the host.
func (h *Host) String() string { return h.name }

// host finds or makes a host, with n.mu held.
func (n *Network) host(name string) *Host {
	ip, err := netip.ParseAddr(name)
	ip = ip.Unmap()
	switch {
	case name == "" || err == nil && (ip.IsLoopback() || ip.IsUnspecified()):
		name = "localhost"
	case err == nil:
		if h := n.ips[ip]; h != nil {
			return h
		}
		name = ip.String()
	}
	if h := n.names[name]; h != nil {
		return h
	}
	switch {
	case name == "localhost":
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case err != nil:
		for n.lastIP = n.lastIP.Next(); n.ips[n.lastIP] != nil; n.lastIP = n.lastIP.Next() {
		}
		ip = n.lastIP
	}
	h := &Host{net: n, name: name, ip: ip, port: firstPort - 1}
	n.names[name], n.ips[ip] = h, h
	return h
}

// resolve finds the host and port of an address as seen from h; nil is the
// network itself, for which every host is its own. It holds n.mu for a while.
func (n *Network) resolve(h *Host, network, address string) (*Host, uint16, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, 0, net.UnknownNetworkError(network)
	}
	name, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, 0, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil && service != "" {
		known, err := net.LookupPort(network, service)
		if err != nil {
			return nil, 0, err
		}
		port = uint64(known)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.init()
	to := n.host(name)
	if h != nil && to.name == "localhost" {
		to = h
	}
	return to, uint16(port), nil
}

// freePort takes the next port that nothing listens on, with n.mu held; 0 if
// there is none.
func (h *Host) freePort() uint16 {
	for range lastPort - firstPort + 1 {
		if h.port++; h.port > lastPort {
			h.port = firstPort
		}
		if h.net.ports[netip.AddrPortFrom(h.ip, h.port)] == nil {
			return h.port
		}
	}
	return 0
}

func (h *Host) addr(port uint16) *net.TCPAddr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(h.ip, port))
}

func hostIP(a net.Addr) netip.Addr {
	return a.(*net.TCPAddr).AddrPort().Addr().Unmap()
}
