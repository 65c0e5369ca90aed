//go:build unix

package testserver

import "strconv"

// Memcached starts a memcached that listens on TCP.
func Memcached(tb TB) *Server {
	tb.Helper()
	path := find(tb, "memcached", "memcached")
	addr, port := freePort(tb)
	return start(tb, &Server{
		Addr: addr, path: path, user: "memcache",
		args: []string{"-l", "127.0.0.1", "-p", strconv.Itoa(port), "-U", "0"},
	})
}
