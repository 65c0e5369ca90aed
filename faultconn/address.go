package faultconn

import (
	"net"
	"net/netip"
	"strings"
)

// address turns what was dialled into what net puts into errors.
func address(network, addr string) net.Addr {
	if strings.HasPrefix(network, "tcp") {
		if a, err := netip.ParseAddrPort(addr); err == nil {
			return net.TCPAddrFromAddrPort(a)
		}
	}
	if strings.HasPrefix(network, "unix") {
		return &net.UnixAddr{Name: addr, Net: network}
	}
	return named{network, addr}
}

// named is an address that has not been resolved.
type named struct{ network, addr string }

func (a named) Network() string { return a.network }
func (a named) String() string  { return a.addr }

func peerName(c net.Conn) string {
	if a := c.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}
