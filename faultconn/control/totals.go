package control

import "github.com/brownout-go/brownout/faultconn/proxy"

// Total is what a proxy has done in the life of the server, as of now.
type Total struct {
	Proxy       string
	Revision    int64 // of the plan
	Connections int   // open ones
	Up, Down    int64 // bytes that have passed to the upstream and back, those of open connections included
	Faults      int64 // faults that have struck, whatever the plan was
}

// Totals returns what the proxies have done, by name. It looks at each open
// connection, and waits for none.
func (s *Server) Totals() []Total {
	var all []Total
	for _, e := range s.entries() {
		all = append(all, e.total())
	}
	return all
}

// traffic counts the bytes of a proxy in the life of the server.
type traffic struct {
	ended pair // of connections that have ended
	shown pair // as last reported: counters must not go back
}

type pair struct{ up, down int64 }

func (e *entry) total() Total {
	// Held throughout: a connection that ends meanwhile waits to be in ended, or
	// it would be in both sums, and stay so in shown.
	e.mu.Lock()
	defer e.mu.Unlock()
	var conns []*proxy.Conn
	if e.run != nil {
		conns = e.run.proxy.Conns()
	}
	b, sum := &e.bytes, e.bytes.ended
	for _, c := range conns {
		if i := c.Info(); i.State != proxy.Ended { // the others are in ended, or about to be
			sum.up += i.Up
			sum.down += i.Down
		}
	}
	b.shown.up = max(b.shown.up, sum.up)
	b.shown.down = max(b.shown.down, sum.down)
	return Total{e.name, e.revision, len(conns), b.shown.up, b.shown.down, e.faults.Load()}
}
