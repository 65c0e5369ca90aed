//go:build unix

package testserver

import (
	"path/filepath"
	"strconv"
)

// MariaDB starts a MariaDB with durability as in production: without a binary
// log that is flushed at each commit, InnoDB shows a commit to others before it
// is on disk. The database "test" is open to the user "root" without a
// password: root@tcp(ADDR)/test.
func MariaDB(tb TB) *Server {
	tb.Helper()
	install := find(tb, "mariadb-install-db", "mariadb-server")
	path := find(tb, "mariadbd", "mariadb-server")
	dir := folder(tb, "mariadb", "mysql")
	data := filepath.Join(dir, "data")
	// A server that starts removes the temporary tables it finds, those of others
	// included, unless it has a folder for them to itself.
	tmp := "--tmpdir=" + dir
	run(tb, "mysql", install, "--no-defaults", "--datadir="+data, tmp, "--auth-root-authentication-method=normal")
	addr, port := freePort(tb)
	return start(tb, &Server{
		Addr: addr, path: path, user: "mysql",
		args: []string{"--no-defaults", "--datadir=" + data, tmp, "--bind-address=127.0.0.1", "--port=" + strconv.Itoa(port),
			"--socket=" + filepath.Join(dir, "s"), "--pid-file=" + filepath.Join(dir, "pid"),
			"--log-bin=binlog", "--sync-binlog=1", "--server-id=1"},
	})
}
