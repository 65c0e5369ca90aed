package control

import (
	"net/http"
	"strconv"
	"time"

	"github.com/brownout-go/brownout/faultconn/proxy"
)

// connection is an open connection in replies and events.
type connection struct {
	ID       uint64    `json:"id"`
	Client   string    `json:"client"`
	Upstream string    `json:"upstream"`
	State    string    `json:"state"`
	Opened   time.Time `json:"opened"`
	Active   time.Time `json:"active"`
	Up       int64     `json:"bytesUp"`
	Down     int64     `json:"bytesDown"`
	HeldUp   bool      `json:"heldUp"`
	HeldDown bool      `json:"heldDown"`
}

func connOf(i proxy.Info) connection {
	return connection{i.ID, i.Client, i.Upstream, string(i.State), i.Opened, i.Active, i.Up, i.Down, i.HeldUp, i.HeldDown}
}

func listConns(e *entry, _ *http.Request) (any, error) {
	all := []connection{}
	for _, c := range e.conns() {
		all = append(all, connOf(c.Info()))
	}
	return map[string]any{"connections": all}, nil
}

func commandConn(e *entry, r *http.Request) (any, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, badRequest("connection %.40q: must be a number", r.PathValue("id"))
	}
	var c *proxy.Conn
	for _, o := range e.conns() {
		if o.Info().ID == id {
			c = o
		}
	}
	if c == nil {
		return nil, &refusal{http.StatusNotFound, errNoConn}
	}
	var ways []proxy.Direction
	switch d := r.URL.Query().Get("direction"); d {
	case "":
		ways = []proxy.Direction{proxy.Up, proxy.Down}
	case "up", "down":
		ways = []proxy.Direction{proxy.Direction(d)}
	default:
		return nil, badRequest("direction %.40q: must be up or down, or left out for both", d)
	}
	var do func(proxy.Direction)
	switch command := r.PathValue("command"); command {
	case "reset":
		c.Reset()
		return connOf(c.Info()), nil
	case "hold":
		do = c.Hold
	case "release":
		do = c.Release
	case "step":
		do = c.Step
	default:
		return nil, &refusal{http.StatusNotFound, errNoCommand}
	}
	for _, d := range ways {
		do(d)
	}
	return connOf(c.Info()), nil
}
