package control

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/proxy"
	"github.com/brownout-go/brownout/internal/wait"
)

func TestTotals(t *testing.T) {
	f := newFixture(t)
	c := f.dial()
	c.mustAsk()
	f.dial().mustAsk()
	want := Total{Proxy: "db", Revision: 1, Connections: 2, Up: 12, Down: 12}
	// Bytes are counted when they have been written, which is after somebody can
	// have read them.
	if !wait.Until(10*time.Second, func() bool { return f.Totals()[0] == want }) {
		t.Errorf("%+v, want %+v", f.Totals(), want)
	}
	if err := f.SetPlan("db", faultconn.Plan{Rules: []faultconn.Rule{{Scope: faultconn.PerConnection, Fault: fault.Reset{}}}}); err != nil {
		t.Fatal(err)
	}
	if got, err := c.ask("hello"); err == nil {
		t.Fatalf("through a reset: %q", got)
	}
	if err := f.SetPlan("db", faultconn.Plan{}); err != nil {
		t.Fatal(err)
	}
	// Of a new plan the hits are none, the faults are those there were.
	if got := f.Totals()[0]; got.Faults != 1 || got.Revision != 3 {
		t.Errorf("after a fault: %+v", got)
	}
	if got := f.call("GET", "/v1/proxies/db", "", 200); !strings.Contains(got, `"faults":1`) {
		t.Error(got)
	}
}

// TestSomeConnections lists part of many connections.
func TestSomeConnections(t *testing.T) {
	f := newFixture(t)
	var clients []*client
	for range 5 {
		c := f.dial()
		c.mustAsk()
		clients = append(clients, c)
	}
	type list struct {
		Connections []connection
		Total       int
	}
	const path = "/v1/proxies/db/connections"
	for _, c := range []struct {
		query        string
		shown, total int
	}{
		{"", 5, 5}, {"?limit=2", 2, 5}, {"?limit=0", 0, 5}, {"?limit=9", 5, 5},
		{"?match=" + clients[3].LocalAddr().String(), 1, 1}, {"?match=(open&limit=1", 1, 5}, {"?match=held", 0, 0},
	} {
		got := parse[list](t, f.call("GET", path+c.query, "", 200))
		if len(got.Connections) != c.shown || got.Total != c.total {
			t.Errorf("%s: %d of %d, want %d of %d", c.query, len(got.Connections), got.Total, c.shown, c.total)
		}
	}
	if got := parse[list](t, f.call("GET", path+"?limit=2", "", 200)).Connections; got[0].Client != clients[0].LocalAddr().String() {
		t.Errorf("the first is %+v", got[0])
	}
	f.call("GET", path+"?limit=-1", "", 400)
	f.call("GET", path+"?limit=few", "", 400)
}

// TestGuardOthers mounts a handler beside the API: who may not call the one
// does not reach the other.
func TestGuardOthers(t *testing.T) {
	s := &Server{Token: "secret"}
	defer s.Close()
	h := s.Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for given, want := range map[string]int{"": 401, "Bearer secret": http.StatusTeapot} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/mine", nil)
		r.Header.Set("Authorization", given)
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("with %q: status %d, want %d", given, w.Code, want)
		}
	}
}

// TestTotalsWhileConnectionsEnd ends a connection when the sum has just taken in
// its bytes: with the ended ones, they would be in it twice, and for ever.
func TestTotalsWhileConnectionsEnd(t *testing.T) {
	var dials atomic.Int32
	var look atomic.Pointer[func()] // called when somebody looks at the second connection
	ended := make(chan struct{})
	s := &Server{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if dials.Add(1) == 2 {
				c = lookedAt{c, &look}
			}
			return c, err
		},
		OnConn: func(ev proxy.Event) {
			if ev.Kind == proxy.Closed && ev.Conn.ID == 1 {
				close(ended)
			}
		},
	}
	defer s.Close()
	if err := s.Add(Proxy{Name: "db", Upstream: echo(t)}); err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, Server: s}
	first := f.dial()
	first.mustAsk()
	f.dial().mustAsk()
	up := func() int64 { return s.Totals()[0].Up }
	if !wait.Until(10*time.Second, func() bool { return up() == 12 }) {
		t.Fatalf("%+v after two exchanges", s.Totals())
	}
	end := func() {
		look.Store(nil)
		_ = first.Close()
		select {
		case <-ended:
		case <-time.After(100 * time.Millisecond): // it waits for the sum; too short, and the test asks less
		}
	}
	look.Store(&end)
	if n := up(); n != 12 {
		t.Errorf("while a connection ends: %d bytes, want 12", n)
	}
	if look.Load() != nil {
		t.Fatal("the sum has not looked at the second connection")
	}
	<-ended
	if n := up(); n != 12 {
		t.Errorf("after it: %d bytes, want 12", n)
	}
}

// lookedAt is a connection that tells when somebody wants to know its other end.
type lookedAt struct {
	net.Conn
	look *atomic.Pointer[func()]
}

func (l lookedAt) RemoteAddr() net.Addr {
	if f := l.look.Load(); f != nil {
		(*f)()
	}
	return l.Conn.RemoteAddr()
}
