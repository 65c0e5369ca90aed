package control

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// split separates the network of an address from the rest: "unix:/tmp/x".
func split(address string) (network, rest string) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", path
	}
	if address == "" {
		return "tcp", "localhost:0"
	}
	return "tcp", address
}

// join is the address of a listener as it was asked for, with the port it got.
func join(a net.Addr, asked string) string {
	if strings.HasPrefix(asked, "unix:") {
		return asked
	}
	return a.String()
}

// same says whether a listener asked for would be the one that there is. All of
// "", 0.0.0.0 and :: are every address of the machine.
func same(asked, have string) bool {
	if asked == have {
		return true
	}
	host, port, err := net.SplitHostPort(asked)
	there, err2 := netip.ParseAddrPort(have)
	if err != nil || err2 != nil || port == "0" || port != strconv.Itoa(int(there.Port())) {
		return false
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil {
		return ip.Unmap() == there.Addr().Unmap() || (host == "" || ip.IsUnspecified()) && there.Addr().IsUnspecified()
	}
	ctx, cancel := context.WithTimeout(context.Background(), listening)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	return err == nil && slices.ContainsFunc(ips, func(ip netip.Addr) bool { return ip.Unmap() == there.Addr().Unmap() })
}

// stale says whether a Unix socket was left behind by a process that is gone.
// One that could close its listener has taken the socket away.
func stale(path string) bool {
	if i, err := os.Lstat(path); err != nil || i.Mode()&fs.ModeSocket == 0 {
		return false
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// loops says whether connections to upstream would come back to who listens: each
// would make another. Names are not looked up.
func loops(listen, upstream string) bool {
	if !samePort(listen, upstream) {
		return listen == upstream // Unix sockets
	}
	at, _, _ := net.SplitHostPort(listen)
	to, _, _ := net.SplitHostPort(upstream)
	here := func(host string) (local, all bool) {
		ip, err := netip.ParseAddr(host)
		all = host == "" || err == nil && ip.IsUnspecified()
		return all || host == "localhost" || err == nil && ip.IsLoopback(), all
	}
	local, all := here(at)
	toLocal, toAll := here(to)
	return at == to || local && toLocal && (all || toAll || at == "localhost" || to == "localhost")
}

// samePort says whether two TCP addresses have a port in common.
func samePort(a, b string) bool {
	_, p, err := net.SplitHostPort(a)
	_, q, err2 := net.SplitHostPort(b)
	return err == nil && err2 == nil && p == q
}
