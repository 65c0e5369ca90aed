package memnet

import (
	"net"
)

// Pipe returns two ends that are connected to each other, without a [Network]:
// instant, with buffers of 64 KiB and addresses on the loopback interface. It
// is for where net.Pipe is, and unlike that has buffers, half-close and resets.
func Pipe() (*Conn, *Conn) {
	client := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1).To4(), Port: firstPort}
	server := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1).To4(), Port: firstPort + 1}
	p := newPair("tcp", client, server, defaultBuffer, path{}, path{})
	return &p.ends[0], &p.ends[1]
}
