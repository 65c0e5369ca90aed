package faultconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
)

// opError gives err the shape in which package net reports it.
func opError(op, network string, source, addr net.Addr, err error) error {
	if err == io.EOF {
		return err
	}
	if _, ok := err.(*net.OpError); ok {
		return err
	}
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(systemCall(op, errno), errno)
	}
	return &net.OpError{Op: op, Net: network, Source: source, Addr: addr, Err: err}
}

// systemCall is the name net gives the call behind an operation.
func systemCall(op string, errno syscall.Errno) string {
	switch op {
	case "dial":
		if errno == syscall.EMFILE || errno == syscall.ENFILE {
			return "socket"
		}
		return "connect"
	case "accept":
		if runtime.GOOS == "linux" || runtime.GOOS == "freebsd" {
			return "accept4"
		}
	}
	return op
}

func (c *conn) fail(op string, err error) error {
	local, remote := c.inner.LocalAddr(), c.inner.RemoteAddr()
	network := ""
	if local != nil {
		network = local.Network()
	}
	return opError(op, network, local, remote, err)
}

// dialError is how a dial to addr fails. Like net, it gives the address
// resolved where that takes no resolver, and none if the name does not exist.
func dialError(network, addr string, err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return opError("dial", network, nil, nil, err)
	}
	return opError("dial", network, nil, address(network, addr), err)
}

// interrupted is what a dial returns whose context has ended.
func interrupted(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return dialTimeout{}
	}
	return dialCanceled{}
}

// dialTimeout and dialCanceled stand for the errors of the same text that net
// does not export.
type dialTimeout struct{}

func (dialTimeout) Error() string   { return "i/o timeout" }
func (dialTimeout) Timeout() bool   { return true }
func (dialTimeout) Temporary() bool { return true }
func (dialTimeout) Is(err error) bool {
	return err == context.DeadlineExceeded
}

type dialCanceled struct{}

func (dialCanceled) Error() string     { return "operation was canceled" }
func (dialCanceled) Is(err error) bool { return err == context.Canceled }
