package fault

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/brownout-go/brownout/faultconn"
)

// Fail makes one operation fail with an error of the operating system, once a
// unit of the rule's scope, and leaves the connection as it is. By default it
// strikes reads and writes, or dials for the errors only dials give; with
// Select.Ops, the operations named there.
type Fail struct {
	// With names the error:
	//   - "reset", "pipe", "aborted": ECONNRESET, EPIPE, ECONNABORTED;
	//   - "eof": io.EOF; "timeout": os.ErrDeadlineExceeded, out of the blue;
	//   - for dials "refused", "connect-timeout" (ETIMEDOUT),
	//     "network-unreachable", "host-unreachable", "no-address"
	//     (EADDRNOTAVAIL), "too-many-files" (EMFILE), "no-such-host" and
	//     "dns-timeout" (a *net.DNSError).
	With string
}

func (Fail) Kind() string { return "fail" }

// Validate reports an unknown error name.
func (f Fail) Validate() error {
	if _, ok := f.failure(); ok {
		return nil
	}
	var names []string
	for _, x := range failures() {
		names = append(names, x.name)
	}
	return fmt.Errorf("with %q: must be one of %s", f.With, strings.Join(names, ", "))
}

func (f Fail) Inject(op faultconn.Op) faultconn.Effect {
	failure, ok := f.failure()
	usual := op.Kind == faultconn.OpRead || op.Kind == faultconn.OpWrite
	if failure.dial {
		usual = op.Kind == faultconn.OpDial
	}
	if !ok || !op.First || !usual && !op.Chosen {
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
	name string
	err  error
	dial bool // dials only, when the rule names no operation
}

func (f Fail) failure() (failure, bool) {
	all := failures()
	if i := slices.IndexFunc(all, func(x failure) bool { return x.name == f.With }); i >= 0 {
		return all[i], true
	}
	return failure{}, false
}

func failures() []failure {
	return []failure{
		{"reset", syscall.ECONNRESET, false},
		{"pipe", syscall.EPIPE, false},
		{"eof", io.EOF, false},
		{"timeout", os.ErrDeadlineExceeded, false},
		{"aborted", syscall.ECONNABORTED, false},
		{"refused", syscall.ECONNREFUSED, true},
		{"connect-timeout", syscall.ETIMEDOUT, true},
		{"network-unreachable", syscall.ENETUNREACH, true},
		{"host-unreachable", syscall.EHOSTUNREACH, true},
		{"no-address", syscall.EADDRNOTAVAIL, true},
		{"too-many-files", syscall.EMFILE, true},
		{"no-such-host", &net.DNSError{Err: "no such host", IsNotFound: true}, true},
		{"dns-timeout", &net.DNSError{Err: "i/o timeout", IsTimeout: true, IsTemporary: true}, true},
	}
}
