package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
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
