//go:build unix

package testserver

import (
	"fmt"
	"os"
	"path/filepath"
)

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
database mdb
maxsize 67108864
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw secret
directory %[1]s/db
`

// Slapd starts an OpenLDAP server that holds the empty suffix
// dc=example,dc=org; cn=admin,dc=example,dc=org with the password "secret" may
// write to it.
func Slapd(tb TB) *Server {
	tb.Helper()
	path := find(tb, "slapd", "slapd")
	dir := folder(tb, "slapd", "")
	conf := filepath.Join(dir, "slapd.conf")
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "db"), 0o755),
		os.WriteFile(conf, fmt.Appendf(nil, slapdConf, dir), 0o644),
	} {
		if err != nil {
			tb.Fatalf("testserver: %v", err)
		}
	}
	addr, _ := freePort(tb)
	// Any -d keeps it in the foreground; 0 keeps it quiet.
	return start(tb, &Server{Addr: addr, path: path, args: []string{"-h", "ldap://" + addr, "-f", conf, "-d", "0"}})
}
