package proxy

import (
	"net"
	"os"
	"syscall"
)

const canSetBacklog = true

// setBacklog changes the length of the queue of a socket that is listening.
func setBacklog(l *net.TCPListener, n int) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var errno error
	if err := raw.Control(func(fd uintptr) { errno = syscall.Listen(int(fd), n) }); err != nil {
		return err
	}
	return os.NewSyscallError("listen", errno)
}
