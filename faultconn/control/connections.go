package control

import (
	"math"
	"net/http"
	"strconv"
	"strings"
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
	Faults   int64     `json:"faults"`
	HeldUp   bool      `json:"heldUp"`
	HeldDown bool      `json:"heldDown"`
}

func connOf(i proxy.Info) connection {
	return connection{i.ID, i.Client, i.Upstream, string(i.State), i.Opened, i.Active, i.Up, i.Down, i.Faults, i.HeldUp, i.HeldDown}
}

// listConns lists the connections that match, up to a limit, and says how many
// there are.
func listConns(e *entry, r *http.Request) (any, error) {
	limit := math.MaxInt
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, badRequest("limit %.40q: must be a number, not negative", text)
		}
		limit = n
	}
	all, total, match := []connection{}, 0, r.URL.Query().Get("match")
	for _, c := range e.conns() {
		i := c.Info()
		if match != "" && !strings.Contains(i.String(), match) {
			continue
		}
		if total++; total <= limit {
			all = append(all, connOf(i))
		}
	}
	return map[string]any{"connections": all, "total": total}, nil
}

func commandConn(e *entry, r *http.Request) (any, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return nil, badRequest("connection %.40q: must be a number", r.PathValue("id"))
	}
	c := e.conn(id)
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
