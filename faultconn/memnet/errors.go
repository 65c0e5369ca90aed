package memnet

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
)

var shutdownError = os.NewSyscallError("shutdown", syscall.ENOTCONN)

func (c *Conn) error(op string, err error) error {
	return &net.OpError{Op: op, Net: c.network, Source: c.local, Addr: c.remote, Err: err}
}

// deadlineError is what setting a deadline of a closed connection gives; the
// net package names one end only.
func (c *Conn) deadlineError() error {
	return &net.OpError{Op: "set", Net: c.network, Addr: c.local, Err: net.ErrClosed}
}

// contextError turns the end of a dial's context into what the net package
// makes of it.
func contextError(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return canceledError{}
	case errors.Is(err, context.DeadlineExceeded):
		return timeoutError{}
	}
	return err
}

// canceledError and timeoutError have the texts and identities of the
// unexported errors of the net package.
type canceledError struct{}

func (canceledError) Error() string        { return "operation was canceled" }
func (canceledError) Is(target error) bool { return target == context.Canceled }

type timeoutError struct{}

func (timeoutError) Error() string        { return "i/o timeout" }
func (timeoutError) Timeout() bool        { return true }
func (timeoutError) Temporary() bool      { return true }
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }
