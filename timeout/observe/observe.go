// Package observe sends the events and counts of package timeout to statsd and zap.
//
//	obs := &observe.Observer{Statsd: client, Log: logger}
//	limit, err := timeout.New(timeout.Config{OnEvent: obs.Observe})
//	ldap, err := timeout.NewBackend(timeout.BackendConfig{Name: "ldap", OnEvent: obs.Observe})
//
// The metrics, where KIND, REASON and NAME are those of [timeout.Event] and the number of
// names is bounded by the number of backends:
//
//	timeout.request.KIND.REASON        counter: requests that met a limit
//	timeout.request.failed             counter: errors of handlers, answered with 500
//	timeout.request.failed.unavailable counter: failed connections, answered with 503
//	timeout.request.failed.NAME.REASON counter: errors of backends, answered with 503
//	timeout.request.gone               counter: clients that left before their answer
//	timeout.backend.NAME.KIND.REASON   counter: calls that met a limit
//	timeout.backend.NAME.abandoned     counter: calls given up while they went on
//	timeout.backend.NAME.returned      counter: of these, ended since; and
//	timeout.backend.NAME.returned.took timer: how long they took in all
//	timeout.request.panic, timeout.backend.NAME.panic  counter
//
// [Observer.Limiter] and [Observer.Backend] send gauges of what is under way.
package observe

import (
	"net/http"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/brownout-go/brownout/internal/observe"
	"github.com/brownout-go/brownout/timeout"
)

// An Observer counts events in statsd and writes them to a log, one line each. Its zero
// value does nothing. It may be used from several goroutines at once.
type Observer struct {
	Statsd statsd.StatSender // nil sends no metrics
	Log    *zap.Logger       // nil logs nothing
}

// Observe is for the OnEvent fields of timeout.Config and timeout.BackendConfig. Neither
// statsd nor zap makes it wait for a network.
func (o *Observer) Observe(e timeout.Event) {
	stats := observe.Stats{Sender: o.Statsd}
	name := append(subject(e), string(e.Kind))
	if e.Kind == timeout.KindFailed && e.Backend != "" {
		name = []string{"timeout", "request", "failed", e.Backend}
	}
	if e.Kind == timeout.KindFailed && e.Reason == "" && e.Status == http.StatusServiceUnavailable {
		name = append(name, "unavailable")
	}
	if e.Reason != "" && e.Kind != timeout.KindGone {
		name = append(name, string(e.Reason))
	}
	stats.Count(observe.Name(name...), 1)
	if e.Kind == timeout.KindReturned {
		stats.Timing(observe.Name(append(name, "took")...), e.Elapsed)
	}
	o.log(e)
}

func subject(e timeout.Event) []string {
	if e.Backend == "" || e.Kind == timeout.KindFailed {
		return []string{"timeout", "request"}
	}
	return []string{"timeout", "backend", e.Backend}
}

func (o *Observer) log(e timeout.Event) {
	if o.Log == nil {
		return
	}
	entry := o.Log.Check(level(e), "timeout: "+string(e.Kind))
	if entry == nil {
		return
	}
	var fields []zap.Field
	text := func(key, value string) {
		if value != "" {
			fields = append(fields, zap.String(key, value))
		}
	}
	duration := func(key string, value time.Duration) {
		if value != 0 {
			fields = append(fields, zap.Duration(key, value))
		}
	}
	text("backend", e.Backend)
	text("reason", string(e.Reason))
	duration("limit", e.Limit)
	duration("elapsed", e.Elapsed)
	text("method", e.Method)
	text("path", e.Path)
	if e.Status != 0 {
		fields = append(fields, zap.Int("status", e.Status))
	}
	text("incident", e.Incident)
	if e.Err != nil {
		fields = append(fields, zap.Error(e.Err))
	}
	if e.Panic != nil {
		fields = append(fields, zap.Any("panic", e.Panic))
	}
	text("stack", string(e.Stack))
	entry.Write(fields...)
}

// level is Error for what needs a programmer, Warn for what needs an operator, Debug for
// what is neither's doing.
func level(e timeout.Event) zapcore.Level {
	switch {
	case e.Kind == timeout.KindPanic, e.Kind == timeout.KindFailed && e.Status == http.StatusInternalServerError:
		return zapcore.ErrorLevel
	case e.Kind == timeout.KindGone, e.Kind == timeout.KindReturned:
		return zapcore.DebugLevel
	default:
		return zapcore.WarnLevel
	}
}

// Limiter sends the gauges timeout.request.inflight, .queued and .abandoned_now. Call it
// at the interval of the dashboard.
func (o *Observer) Limiter(s timeout.Stats) {
	stats := observe.Stats{Sender: o.Statsd}
	stats.Gauge("timeout.request.inflight", s.InFlight)
	stats.Gauge("timeout.request.queued", s.Queued)
	stats.Gauge("timeout.request.abandoned_now", s.Abandoned)
}

// Backend sends the gauges timeout.backend.NAME.inflight, .queued and .abandoned_now.
func (o *Observer) Backend(name string, s timeout.BackendStats) {
	stats := observe.Stats{Sender: o.Statsd}
	stats.Gauge(observe.Name("timeout", "backend", name, "inflight"), s.InFlight)
	stats.Gauge(observe.Name("timeout", "backend", name, "queued"), s.Queued)
	stats.Gauge(observe.Name("timeout", "backend", name, "abandoned_now"), s.Abandoned)
}
