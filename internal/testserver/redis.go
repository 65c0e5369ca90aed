//go:build unix

package testserver

import "strconv"

// Redis starts a Redis that keeps nothing on disk.
func Redis(tb TB) *Server {
	tb.Helper()
	path := find(tb, "redis-server", "redis-server")
	addr, port := freePort(tb)
	return start(tb, &Server{
		Addr: addr, path: path, user: "redis",
		args: []string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no", "--dir", folder(tb, "redis", "redis")},
	})
}
