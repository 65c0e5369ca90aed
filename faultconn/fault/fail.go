package fault

import (
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"syscall"

	"github.com/brownout-go/brownout/faultconn"
)

// Fail makes one operation fail with an error of the operating system, once a
// unit of the rule's scope, and leaves the connection as it is. By default it
// strikes reads and writes, or dials for the errors only dials give; with
// Select.Ops, the operations named there.
type Fail struct {
	// With names the error: "reset", "refused", "timeout" (of a deadline),
	// "connect-timeout" (ETIMEDOUT), "network-unreachable",
	// "host-unreachable", "no-address" (EADDRNOTAVAIL), "too-many-files"
	// (EMFILE), "aborted" (ECONNABORTED), "pipe", "eof", "no-such-host" and
	// "dns-timeout" (*net.DNSError).
	With string
}

func (Fail) Kind() string { return "fail" }

// Validate reports an unknown error name.
func (f Fail) Validate() error {
	if _, ok := failures()[f.With]; !ok {
		return fmt.Errorf("with %q: must be one of %q", f.With, slices.Sorted(maps.Keys(failures())))
	}
	return nil
}

func (f Fail) Inject(op faultconn.Op) faultconn.Effect {
	failure := failures()[f.With]
	if !op.First || !op.Chosen && failure.dial != (op.Kind == faultconn.OpDial) {
		return faultconn.Effect{}
	}
	if !op.Chosen && !failure.dial && op.Kind != faultconn.OpRead && op.Kind != faultconn.OpWrite {
		return faultconn.Effect{}
	}
	if dns, ok := failure.err.(*net.DNSError); ok {
		at := *dns
		at.Name = op.Addr
		if host, _, err := net.SplitHostPort(op.Addr); err == nil {
			at.Name = host
		}
		return faultconn.Effect{Err: &at}
	}
	return faultconn.Effect{Err: failure.err}
}

type failure struct {
	err  error
	dial bool // dials only, when the rule names no operation
}

func failures() map[string]failure {
	return map[string]failure{
		"reset":               {err: syscall.ECONNRESET},
		"pipe":                {err: syscall.EPIPE},
		"eof":                 {err: io.EOF},
		"timeout":             {err: os.ErrDeadlineExceeded},
		"refused":             {syscall.ECONNREFUSED, true},
		"connect-timeout":     {syscall.ETIMEDOUT, true},
		"network-unreachable": {syscall.ENETUNREACH, true},
		"host-unreachable":    {syscall.EHOSTUNREACH, true},
		"no-address":          {syscall.EADDRNOTAVAIL, true},
		"too-many-files":      {syscall.EMFILE, true},
		"aborted":             {err: syscall.ECONNABORTED},
		"no-such-host":        {&net.DNSError{Err: "no such host", IsNotFound: true}, true},
		"dns-timeout":         {&net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}, true},
	}
}
