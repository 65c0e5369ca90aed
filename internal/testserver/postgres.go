//go:build unix

package testserver

import (
	"os/exec"
	"path/filepath"
	"strconv"
)

// Postgres starts a PostgreSQL with durability as in production. The database
// "postgres" is open to the user "postgres" without a password:
// postgres://postgres@ADDR/postgres.
func Postgres(tb TB) *Server {
	tb.Helper()
	const bin = "/usr/lib/postgresql/*/bin"
	initdb := find(tb, "initdb", "postgresql", bin)
	path := find(tb, "postgres", "postgresql", bin)
	data := filepath.Join(folder(tb, "postgres", "postgres"), "data")
	run(tb, "postgres", initdb, "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C")
	addr, port := freePort(tb)
	s := &Server{
		Addr: addr, path: path, user: "postgres",
		args: []string{"-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", ""},
	}
	// The port is open before the server takes queries. pg_isready lives beside
	// initdb, which may be a link.
	if real, err := filepath.EvalSymlinks(initdb); err == nil {
		ready := filepath.Join(filepath.Dir(real), "pg_isready")
		s.ready = func() error { return exec.Command(ready, "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(port)).Run() }
	}
	return start(tb, s)
}
