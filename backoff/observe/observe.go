// Package observe turns the events of package backoff into statsd metrics and
// zap log lines.
//
//	obs := &observe.Observer{Statsd: client, Log: logger}
//	source, err := backoff.NewSource(backoff.SourceConfig{Store: store, OnEvent: obs.Observe})
//	...
//	ease, err := backoff.Policy{Current: source.Current, OnEvent: obs.Observe}.Middleware()
//
// The metrics, below whatever prefix the statsd client has:
//
//	backoff.interval               gauge    seconds that clients are asked to wait; 0 for none
//	backoff.unavailable            gauge    requests refused, of 1000
//	backoff.value_changed          counter  the value in force became another one
//	backoff.store_failed           counter  readings of the store that failed
//	backoff.store_recovered        counter  good readings after failures
//	backoff.header_sent.<header>   counter  responses given the header: X-Sync-Poll, Retry-After ...
//	backoff.shed                   counter  requests refused before the handler
//	backoff.held                   counter  pauses that services asked a Transport for
//	backoff.waited                 counter  requests sent after a wait
//	backoff.waited_for             timer    how long they waited
//	backoff.not_sent               counter  requests that would not wait, or gave up
//	backoff.retried                counter  requests sent once more
//
// Their number is that of the headers in the Policy plus eleven; none is named
// after a client or an origin.
//
// In the log a change of the value, which an operator's note explains, is at
// level Info, and so is a store's recovery. A store that fails is at Warn, at
// the 1st, 2nd, 4th, 8th ... failure in a row. A pause that a service asks for
// is at Info. What happens once a request is at Debug.
package observe

import (
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"go.uber.org/zap"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/internal/observe"
)

// Observer sends events to statsd and zap. A field that is nil is off; the
// zero Observer does nothing. It may be used by several goroutines at once.
type Observer struct {
	Statsd statsd.StatSender
	Log    *zap.Logger
}

// Observe is for the OnEvent fields of package backoff. It does not block, as
// long as the statsd client does not (UDP does not).
func (o *Observer) Observe(e backoff.Event) {
	o.count(e)
	if o.Log != nil {
		o.log(e)
	}
}

func (o *Observer) count(e backoff.Event) {
	stats := observe.Stats{Sender: o.Statsd}
	if e.Kind == backoff.HeaderSent {
		stats.Count(observe.Name("backoff", string(e.Kind), e.Header), 1)
		return
	}
	stats.Count(observe.Name("backoff", string(e.Kind)), 1)
	switch e.Kind {
	case backoff.Waited:
		stats.Timing("backoff.waited_for", e.Wait)
	case backoff.ValueChanged:
		stats.Gauge("backoff.interval", e.Value.Seconds())
		stats.Gauge("backoff.unavailable", int64(e.Value.Unavailable*1000+0.5))
	}
}

func (o *Observer) log(e backoff.Event) {
	switch e.Kind {
	case backoff.ValueChanged:
		o.Log.Info("backoff: value changed",
			zap.Stringer("value", e.Value),
			zap.Stringer("previous", e.Previous),
			zap.NamedError("because", e.Err))
	case backoff.StoreFailed:
		if e.Failures&(e.Failures-1) == 0 { // a power of two
			o.Log.Warn("backoff: cannot read the store",
				zap.Error(e.Err),
				zap.Int("failures", e.Failures),
				zap.Stringer("still in force", e.Value))
		}
	case backoff.StoreRecovered:
		o.Log.Info("backoff: reading the store again", zap.Int("failures", e.Failures))
	case backoff.HeaderSent:
		o.Log.Debug("backoff: header sent", zap.String("header", e.Header), zap.Duration("wait", e.Wait.Round(time.Millisecond)))
	case backoff.Shed:
		o.Log.Debug("backoff: request refused", zap.Stringer("value", e.Value))
	case backoff.Held:
		o.Log.Info("backoff: asked to wait", zap.String("origin", e.Origin), zap.Duration("wait", e.Wait.Round(time.Millisecond)))
	default:
		o.Log.Debug("backoff: "+string(e.Kind),
			zap.String("origin", e.Origin), zap.Duration("wait", e.Wait.Round(time.Millisecond)), zap.NamedError("because", e.Err))
	}
}
