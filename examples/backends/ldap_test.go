package backends

import (
	"errors"
	"net"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

func isLDAPTimeout(err error) bool {
	return ldap.IsErrorWithCode(err, ldap.ErrorNetwork) && errors.Unwrap(err) != nil &&
		errors.Unwrap(err).Error() == "ldap: connection timed out"
}

// ldapInMemory accepts every login. It is a server for tests in virtual time,
// which a process of its own cannot be in.
func ldapInMemory(t *testing.T, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			buf := make([]byte, 4096)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if n < 6 || buf[5] != 0x60 {
					return // the end of the session
				}
				reply, err := framing.LDAPError(int32(buf[4]), "bindResponse", 0, "")
				if err != nil {
					t.Error(err)
					return
				}
				c.Write(reply)
			}
		}()
	}
}

const gaveUp = time.Duration(-1)

// binds logs in over and over through a plan and a proxy, in virtual time, and
// returns how long each took, gaveUp for those that the client did not see
// the end of.
func binds(t *testing.T, rule faultconn.Rule, times int, patience, pause time.Duration) (took []time.Duration) {
	n := &memnet.Network{}
	defer n.Close()
	server, err := n.Listen("tcp", "ldap:389")
	if err != nil {
		t.Fatal(err)
	}
	go ldapInMemory(t, server)
	front, err := n.Listen("tcp", "proxy:389")
	if err != nil {
		t.Fatal(err)
	}
	inj := &faultconn.Injector{}
	p := &proxy.Proxy{Upstream: "ldap:389", Dial: inj.Dialer("ldap", n.DialContext)}
	go p.Serve(front)
	defer p.Close()
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{rule}}); err != nil {
		t.Fatal(err)
	}
	for range times {
		c, err := openLDAP("proxy:389", n.DialContext, patience)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err = c.Bind("cn=admin", "secret"); err != nil && !ldap.IsErrorWithCode(err, ldap.ErrorNetwork) {
			t.Errorf("%v is no network error", err)
		}
		d := time.Since(start)
		if err != nil {
			if d > patience {
				t.Errorf("the client has waited %v, longer than its %v", d, patience)
			}
			d = gaveUp
		}
		took = append(took, d)
		c.Close()
		time.Sleep(pause)
	}
	return took
}

// The first thing this was ever made for: a directory that takes twenty seconds
// for everything, and an application that gives it two.
func TestSlowDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := faultconn.Rule{Fault: fault.Delay{For: 20 * time.Second}}
		if got := binds(t, slow, 3, 2*time.Second, 0); !reflect.DeepEqual(got, []time.Duration{gaveUp, gaveUp, gaveUp}) {
			t.Errorf("with a patience of 2 s: %v", got)
		}
		if got := binds(t, slow, 2, time.Minute, 0); !reflect.DeepEqual(got, []time.Duration{20 * time.Second, 20 * time.Second}) {
			t.Errorf("with a patience of a minute: %v", got)
		}
	})
}

// And the next wish: the delay gets bigger at every call until it reaches a
// maximum, and then smaller.
func TestGrowingAndShrinkingDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ramp := faultconn.Rule{Fault: fault.Delay{For: 5 * time.Second, Step: 5 * time.Second, Max: 20 * time.Second, Fall: true}}
		var want []time.Duration
		for _, s := range []int{5, 10, 15, 20, 15, 10, 5, 10} {
			want = append(want, time.Duration(s)*time.Second)
		}
		if got := binds(t, ramp, len(want), time.Minute, 0); !reflect.DeepEqual(got, want) {
			t.Errorf("took %v, want %v", got, want)
		}
	})
}

// A blackout of two minutes is over after two minutes.
func TestBlackout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := faultconn.Rule{
			Fault: fault.Hang{},
			When:  faultconn.When{After: time.Minute, Before: 3 * time.Minute},
		}
		var answered []bool
		for _, took := range binds(t, out, 8, 10*time.Second, 20*time.Second) {
			answered = append(answered, took != gaveUp)
		}
		// At 0, 20, 40, then, each ten seconds longer, 60, 90, 120 and 150, and
		// at 180.
		if want := []bool{true, true, true, false, false, false, false, true}; !reflect.DeepEqual(answered, want) {
			t.Errorf("logins answered: %v, want %v", answered, want)
		}
	})
}
