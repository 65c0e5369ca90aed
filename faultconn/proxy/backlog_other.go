//go:build !linux

package proxy

import (
	"errors"
	"net"
)

const canSetBacklog = false

func setBacklog(*net.TCPListener, int) error { return errors.ErrUnsupported }
