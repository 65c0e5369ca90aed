package backends

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// brief is the patience of a client whose server is not going to answer.
const brief = 300 * time.Millisecond

// troubles are what goes wrong. hangs says that only the client's own timeout
// ends it, might that it can be so, for garbage can look like the beginning of
// a long message; errno what the client must find in the error it gets (as far as the
// clients hand it on).
var troubles = []struct {
	name  string
	rule  faultconn.Rule
	hangs bool
	might bool
	errno syscall.Errno
}{
	{name: "refused", rule: faultconn.Rule{Fault: fault.Refuse{}}, errno: syscall.ECONNREFUSED},
	{name: "black hole", rule: faultconn.Rule{Fault: fault.BlackHole{}}, hangs: true},
	{name: "reset", rule: faultconn.Rule{Fault: fault.Reset{}}, errno: syscall.ECONNRESET},
	{name: "abort", rule: faultconn.Rule{Fault: fault.Abort{}}, errno: syscall.ECONNRESET},
	{name: "hung", rule: faultconn.Rule{Fault: fault.Hang{}}, hangs: true},
	{name: "slow", rule: faultconn.Rule{Fault: fault.Delay{For: 20 * time.Second}}, hangs: true},
	{name: "closed", rule: faultconn.Rule{Fault: fault.Close{}}},
	{name: "truncated", rule: faultconn.Rule{Fault: fault.Close{}, When: faultconn.When{From: 3}, Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}}},
	{name: "garbage", rule: faultconn.Rule{Fault: fault.Garbage{}}, might: true},
}

// Each client notices each trouble, in its own time, and each is well again as
// soon as the plan is gone: through a faulty dial function, and through a proxy
// of which the client knows nothing.
func TestTroubles(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			addr := b.start(t)
			for _, way := range []string{"dialer", "proxy"} {
				inj := &faultconn.Injector{}
				dial, to := inj.Dialer(b.name, nil), addr
				if way == "proxy" {
					l := listen(t)
					p := &proxy.Proxy{Upstream: addr, Dial: dial}
					go p.Serve(l)
					defer p.Close()
					dial, to = plain, l.Addr().String()
				}
				for _, c := range troubles {
					t.Run(way+"/"+c.name, func(t *testing.T) {
						c.rule.Name = c.name
						if err := inj.SetPlan(faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{c.rule}}); err != nil {
							t.Fatal(err)
						}
						patience := time.Minute
						if c.hangs || c.might {
							patience = brief
						}
						err := b.use(to, dial, patience)
						if unfired := inj.Unfired(); len(unfired) > 0 {
							t.Errorf("nothing happened: %v", unfired)
						}
						if err == nil {
							t.Error("the client has noticed nothing")
						}
						if way == "dialer" && c.errno != 0 && handsOn(b.name, c.errno) && !errors.Is(err, c.errno) {
							t.Errorf("%v is not %v", err, c.errno)
						}
						if c.hangs && !timedOut(err) {
							t.Errorf("%v is no timeout", err)
						}
						if err := inj.SetPlan(faultconn.Plan{}); err != nil {
							t.Fatal(err)
						}
						if err := b.use(to, dial, time.Minute); err != nil {
							t.Errorf("once it is over: %v", err)
						}
					})
				}
			}
		})
	}
}

// handsOn reports whether the client's error lets errors.Is find the errno.
// go-ldap says in words what has ended a connection, and database/sql replaces
// it by driver.ErrBadConn, after go-sql-driver.
func handsOn(client string, errno syscall.Errno) bool {
	return errno == syscall.ECONNREFUSED || !slices.Contains([]string{"ldap", "mysql"}, client)
}

func timedOut(err error) bool {
	var ne net.Error
	var connect *memcache.ConnectTimeoutError // which is no net.Error
	return errors.As(err, &connect) || errors.As(err, &ne) && ne.Timeout() || errors.Is(err, context.DeadlineExceeded) || isLDAPTimeout(err)
}

// A reply that ends within its head or its body is an error everywhere.
func TestCutMessages(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			addr := b.start(t)
			inj := &faultconn.Injector{}
			dial := inj.Dialer(b.name, nil)
			for _, number := range []int{1, 2, 3} {
				on := &framing.On{Protocol: b.name, Messages: framing.Messages{Number: number}, Byte: 2, Fault: fault.Reset{}}
				if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{Name: "cut", Fault: on}}}); err != nil {
					t.Fatal(err)
				}
				err := b.use(addr, dial, time.Minute)
				if hits := inj.Hits("cut"); hits == 0 && !(b.name == "http" && number == 3) {
					t.Errorf("reply %d was not cut", number)
				} else if hits > 0 && err == nil {
					t.Errorf("reply %d was cut, and the client has noticed nothing", number)
				}
			}
			if err := inj.SetPlan(faultconn.Plan{}); err != nil {
				t.Fatal(err)
			}
			if err := b.use(addr, dial, time.Minute); err != nil {
				t.Errorf("once it is over: %v", err)
			}
		})
	}
}
