// Package observe sends the faults that strike to statsd and zap, so that the
// errors of an application can be matched with what caused them.
//
//	obs := &observe.Observer{Statsd: client, Log: logger}
//	inj := &faultconn.Injector{OnEvent: obs.Observe}
//
// The metrics, where POINT is the name connections were wrapped under and KIND
// that of the fault:
//
//	faultconn.POINT.KIND        counter: units struck
//	faultconn.POINT.KIND.delay  timer: delay injected, of faults that hold for a known time
//
// There are as many names as there are points times faults in plans, however
// many connections come and go. The log has the rule, the connection and the
// place in its stream. [Vaurien] sends the names that vaurien had, one set for
// each connection, to whoever asks for them.
package observe

import (
	"github.com/cactus/go-statsd-client/v5/statsd"
	"go.uber.org/zap"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/internal/observe"
)

// An Observer counts faults in statsd and writes them to a log, one line each.
// Its zero value does nothing. It may be used from several goroutines at once.
type Observer struct {
	Statsd statsd.StatSender // nil sends no metrics
	Log    *zap.Logger       // nil logs nothing
}

// Observe is for Injector.OnEvent. Neither statsd nor zap makes it wait for a
// network. Lines are of level Info: the fault is what was asked for.
func (o *Observer) Observe(e faultconn.Event) {
	stats := observe.Stats{Sender: o.Statsd}
	stats.Count(observe.Name("faultconn", e.Point, e.Kind), 1)
	if e.Delay > 0 {
		stats.Timing(observe.Name("faultconn", e.Point, e.Kind, "delay"), e.Delay)
	}
	if o.Log == nil {
		return
	}
	entry := o.Log.Check(zap.InfoLevel, "faultconn: "+e.Kind)
	if entry == nil {
		return
	}
	client := zap.Skip()
	if e.Client != "" {
		client = zap.String("client", e.Client)
	}
	entry.Write(
		zap.String("rule", e.Rule),
		zap.String("point", e.Point),
		zap.Int("conn", e.Conn),
		zap.String("peer", e.Peer),
		client,
		zap.String("op", string(e.Op)),
		zap.String("direction", e.Direction()),
		zap.Int64("offset", e.Offset),
		zap.Int("exchange", e.Exchange),
		zap.Duration("delay", e.Delay),
		zap.Uint64("seed", e.Seed),
	)
}
