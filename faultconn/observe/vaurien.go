package observe

import (
	"sync"

	"github.com/cactus/go-statsd-client/v5/statsd"

	"github.com/brownout-go/brownout/faultconn/transcript"
	"github.com/brownout-go/brownout/internal/observe"
	"github.com/brownout-go/brownout/internal/uuid"
)

// Vaurien counts what passes over connections under the names that vaurien 2.0
// gave its counters, for dashboards that were built on them:
//
//	PROTOCOL.UUID.start       a client has come, and the backend has been dialled
//	PROTOCOL.UUID.to_backend  a piece of a request has been passed on
//	PROTOCOL.UUID.to_client   a piece of a reply
//	PROTOCOL.UUID.end         the connection has ended
//
// UUID is a random one for each connection, so these names never stop becoming
// more: a statsd server keeps each for as long as it runs, and Graphite makes a
// file of each. That is why nothing sends them unless it is asked to, and why
// what went wrong is not among them: an Observer counts that, by names whose
// number is bounded. Both can be used at once.
//
// It listens to a transcript of the connections to backends:
//
//	v := &observe.Vaurien{Statsd: client}
//	log := &transcript.Log{OnEntry: v.Observe, PerConn: 1}
//	s := &control.Server{WrapDial: log.Dialer}
//
// Vaurien counted a piece whenever a socket was ready to be read; here it is a
// read from the backend or a write to it. The zero Vaurien does nothing. It may
// be used from several goroutines at once.
type Vaurien struct {
	Statsd   statsd.StatSender // nil sends nothing
	Protocol string            // "" is "tcp", as with vaurien

	mu  sync.Mutex
	ids map[connection]string // of open connections
}

type connection struct {
	point  string
	number int
}

// Observe is for transcript.Log.OnEntry. A dial that fails is a start and an
// end. It does not wait for a network.
func (v *Vaurien) Observe(e transcript.Entry) {
	if v.Statsd == nil {
		return
	}
	switch e.Kind {
	case transcript.Open:
		v.count(v.enter(e), "start")
	case transcript.Failed:
		id := v.enter(e)
		v.count(id, "start")
		v.leave(e)
		v.count(id, "end")
	case transcript.Out:
		v.count(v.id(e), "to_backend")
	case transcript.In:
		v.count(v.id(e), "to_client")
	case transcript.Close:
		v.count(v.leave(e), "end")
	}
}

func (v *Vaurien) count(id, what string) {
	if id == "" { // it was open before anybody listened
		return
	}
	protocol := v.Protocol
	if protocol == "" {
		protocol = "tcp"
	}
	observe.Stats{Sender: v.Statsd}.Count(observe.Name(protocol, id, what), 1)
}

func (v *Vaurien) enter(e transcript.Entry) string {
	id := uuid.New()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ids == nil {
		v.ids = map[connection]string{}
	}
	v.ids[connection{e.Point, e.Conn}] = id
	return id
}

func (v *Vaurien) id(e transcript.Entry) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ids[connection{e.Point, e.Conn}]
}

func (v *Vaurien) leave(e transcript.Entry) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := connection{e.Point, e.Conn}
	id := v.ids[key]
	delete(v.ids, key)
	return id
}
