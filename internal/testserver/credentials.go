//go:build unix

package testserver

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// credentials makes a process run as the named user when the tests run as
// root, which database servers refuse to. Otherwise it is nil: the server runs
// as whoever runs the tests.
func credentials(tb TB, name string) *syscall.SysProcAttr {
	tb.Helper()
	if name == "" || os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		tb.Fatalf("testserver: root can't run a database server, and there is neither a user %q nor nobody: %v", name, err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
