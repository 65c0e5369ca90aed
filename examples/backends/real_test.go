package backends

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// relay stands between a client and a real server, in the place of a network. It
// knows nothing of faults: it does the bad thing itself, with a real socket.
type relay struct {
	addr string
	dial dialFunc // with which its clients have to dial it
	bad  atomic.Pointer[badThing]
}

// badThing is done in the place of a reply.
type badThing func(c *net.TCPConn, reply []byte)

func startRelay(t *testing.T, upstream string) *relay {
	connected := make(chan struct{}, 100)
	l := listen(t)
	r := &relay{addr: l.Addr().String(), dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := plain(ctx, network, addr)
		if err == nil {
			connected <- struct{}{}
		}
		return c, err
	}}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				select { // what comes before a client knows that it is connected is a failure to connect
				case <-connected:
				case <-ctx.Done():
					return
				}
				u, err := plain(ctx, "tcp", upstream)
				if err != nil {
					t.Error(err)
					return
				}
				defer context.AfterFunc(ctx, func() { c.Close(); u.Close() })()
				serving.Go(func() {
					defer u.Close()
					io.Copy(u, c)
				})
				for buf := make([]byte, 64<<10); ; {
					n, err := u.Read(buf)
					if err != nil {
						return
					}
					if bad := r.bad.Load(); bad != nil {
						(*bad)(c.(*net.TCPConn), buf[:n])
					} else if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		serving.Wait()
	})
	return r
}

const garbage = "\x00\xff\x13garbage\x7f\x80 not a protocol\r\n\r\n\xee"

// truncate lets half of what arrives pass and ends the stream: a fault of one's
// own, for a place that is not known beforehand.
type truncate struct{}

func (truncate) Kind() string { return "truncate" }
func (truncate) Inject(op faultconn.Op) faultconn.Effect {
	if op.First {
		return faultconn.Effect{Bytes: len(op.Data) / 2, Replace: true, With: string(op.Data[:len(op.Data)/2])}
	}
	return faultconn.Effect{Close: true}
}

// What a client makes of a fault is what it makes of the same thing done by a
// real server: the same errors to errors.Is and errors.As, and the same words.
// So it is on a new connection, and on one that has been good for a while.
func TestSameAsReal(t *testing.T) {
	reads := faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}
	cases := []struct {
		name string
		rule faultconn.Rule
		real badThing
	}{
		{"reset", faultconn.Rule{Fault: fault.Abort{}}, func(c *net.TCPConn, _ []byte) { c.SetLinger(0); c.Close() }},
		{"closed", faultconn.Rule{Fault: fault.Close{}, Select: reads}, func(c *net.TCPConn, _ []byte) { c.Close() }},
		{"hung", faultconn.Rule{Fault: fault.Hang{}}, func(*net.TCPConn, []byte) {}},
		{"truncated", faultconn.Rule{Fault: truncate{}, Select: reads}, func(c *net.TCPConn, reply []byte) { c.Write(reply[:len(reply)/2]); c.Close() }},
		{"garbage", faultconn.Rule{Fault: fault.Garbage{Text: garbage}}, func(c *net.TCPConn, _ []byte) { io.WriteString(c, garbage) }},
		{"slow", faultconn.Rule{Fault: fault.Delay{For: 20 * time.Millisecond}}, nil}, // which is no error
		{"refused", faultconn.Rule{Fault: fault.Refuse{}}, nil},
	}
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			addr := b.start(t)
			for _, c := range cases {
				for _, when := range []string{"at once", "later"} {
					if c.name == "refused" && when == "later" {
						continue // a connection that there is cannot be
					}
					patience := time.Minute
					switch c.name {
					case "hung":
						patience = brief
					case "garbage": // which can look like the beginning of a long message
						patience = 2 * time.Second
					}
					meet := func(to string, dial dialFunc, strike, mend func()) string {
						if when == "at once" {
							strike()
							defer mend()
							return describe(b.use(to, dial, patience), to)
						}
						cl, err := b.open(to, dial, time.Minute)
						if err == nil {
							defer cl.close()
							err = cl.call(time.Minute)
						}
						if err != nil {
							t.Fatalf("%s: before anything was bad: %v", c.name, err)
						}
						strike()
						defer mend() // what a client does to clean up is not under test
						return describe(cl.call(patience), to)
					}

					r := startRelay(t, addr)
					if c.name == "refused" {
						l := listen(t)
						r = &relay{addr: l.Addr().String(), dial: plain}
						l.Close()
					}
					want := meet(r.addr, r.dial, func() {
						if c.real != nil {
							r.bad.Store(&c.real)
						}
					}, func() { r.bad.Store(nil) })

					inj := &faultconn.Injector{}
					set := func(rules ...faultconn.Rule) {
						if err := inj.SetPlan(faultconn.Plan{Rules: rules}); err != nil {
							t.Fatal(err)
						}
					}
					got := meet(addr, inj.Dialer(b.name, nil), func() { set(c.rule) }, func() {
						if missed := inj.Unfired(); len(missed) > 0 {
							t.Errorf("%s, %s: did not strike", c.name, when)
						}
						set()
					})
					if b.name == "smtp" && c.name == "truncated" && when == "later" && got != "nil" && want != "nil" {
						continue // net/smtp takes half a line for all of it, and writes to what is closed: which error that is depends on when
					}
					if got != want || (got == "nil") != (c.name == "slow") {
						t.Errorf("%s, %s: by a fault\n  %s\nby a real server\n  %s", c.name, when, got, want)
					}
				}
			}
		})
	}
}

// describe says all that code and people can see in an error, without what
// differs from run to run.
func describe(err error, addr string) string {
	if err == nil {
		return "nil"
	}
	var is []string
	for _, target := range []struct {
		name string
		err  error
	}{
		{"ECONNREFUSED", syscall.ECONNREFUSED}, {"ECONNRESET", syscall.ECONNRESET}, {"EPIPE", syscall.EPIPE}, {"EOF", io.EOF},
		{"unexpected EOF", io.ErrUnexpectedEOF}, {"deadline", os.ErrDeadlineExceeded}, {"context", context.DeadlineExceeded},
		{"closed", net.ErrClosed}, {"bad conn", driver.ErrBadConn},
	} {
		if errors.Is(err, target.err) {
			is = append(is, target.name)
		}
	}
	if oe := (*net.OpError)(nil); errors.As(err, &oe) {
		is = append(is, "OpError "+oe.Op)
	}
	if se := (*os.SyscallError)(nil); errors.As(err, &se) {
		is = append(is, "SyscallError "+se.Syscall)
	}
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
		is = append(is, "timeout")
	}
	words := strings.Fields(strings.ReplaceAll(err.Error(), addr, "SERVER"))
	for i, w := range words {
		if strings.HasPrefix(w, "127.0.0.1:") { // this side's port
			_, rest, _ := strings.Cut(w, "->")
			words[i] = "CLIENT->" + rest
		}
	}
	slices.Sort(is)
	return strings.Join(is, ", ") + ": " + strings.Join(words, " ")
}
