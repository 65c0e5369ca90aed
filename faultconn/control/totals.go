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
	var open pair
	conns := e.conns()
	for _, c := range conns {
		if i := c.Info(); i.State != proxy.Ended { // the others are in ended, or about to be
			open.up += i.Up
			open.down += i.Down
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	b := &e.bytes
	b.shown.up = max(b.shown.up, b.ended.up+open.up)
	b.shown.down = max(b.shown.down, b.ended.down+open.down)
	return Total{e.name, e.revision, len(conns), b.shown.up, b.shown.down, e.faults.Load()}
}
