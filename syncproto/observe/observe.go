// Package observe sends the events of a syncproto handler to statsd and zap.
//
//	obs := &observe.Observer{Statsd: client, Log: logger}
//	h, err := syncproto.New(syncproto.Config{OnEvent: obs.Observe, ...})
//
// Metrics, of which there is a fixed number whatever clients send (OP is an
// Event.Op, "other" for requests that are none; STATUS is a three-digit
// status):
//
//	syncproto.OP.STATUS     counter, one a request
//	syncproto.OP.time       timer, milliseconds
//	syncproto.OP.apps       counter, documents pulled or pushed
//	syncproto.OP.bytes      counter, their bytes
//	syncproto.pull.idle     counter, pulls without news
//	syncproto.push.repaired counter, pushes whose received was held back
//	syncproto.OP.replayed   counter, writes that had been made before
//
// Log lines: a backend's failure is an error, a refused or aborted request is
// information, all the rest is debug.
package observe

import (
	"net/http"
	"strconv"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/brownout-go/brownout/internal/observe"
	"github.com/brownout-go/brownout/syncproto"
)

// Observer turns events into metrics and log lines. A nil field turns its half
// off; the zero Observer does nothing. It is safe for concurrent use.
type Observer struct {
	Statsd statsd.StatSender
	Log    *zap.Logger
}

// Observe is for syncproto.Config.OnEvent. It blocks no longer than the sender
// and the logger do: give it a buffered sender.
func (o *Observer) Observe(e syncproto.Event) {
	if o.Statsd != nil {
		o.count(e)
	}
	if o.Log != nil {
		o.log(e)
	}
}

func (o *Observer) count(e syncproto.Event) {
	s := observe.Stats{Sender: o.Statsd}
	op := e.Op
	if op == "" {
		op = "other"
	}
	name := func(last string) string { return observe.Name("syncproto", op, last) }
	s.Count(name(strconv.Itoa(e.Status)), 1)
	s.Timing(name("time"), e.Elapsed)
	if e.Apps > 0 {
		s.Count(name("apps"), int64(e.Apps))
		s.Count(name("bytes"), e.Bytes)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{e.Idle, "idle"}, {e.Repaired, "repaired"}, {e.Replayed, "replayed"}} {
		if f.on {
			s.Count(name(f.name), 1)
		}
	}
}

func (o *Observer) log(e syncproto.Event) {
	level := zapcore.DebugLevel
	switch {
	case e.Status >= http.StatusInternalServerError:
		level = zapcore.ErrorLevel
	case e.Err != nil && e.Status < http.StatusBadRequest:
		level = zapcore.WarnLevel // answered, but something behind it doesn't work
	case e.Err != nil:
		level = zapcore.InfoLevel
	}
	line := o.Log.Check(level, "sync request")
	if line == nil {
		return
	}
	fields := []zap.Field{zap.String("op", e.Op), zap.Int("status", e.Status), zap.Duration("elapsed", e.Elapsed)}
	if e.User != "" {
		fields = append(fields, zap.String("user", e.User))
	}
	if e.Collection != "" {
		fields = append(fields, zap.String("collection", e.Collection))
	}
	if e.Apps > 0 {
		fields = append(fields, zap.Int("apps", e.Apps), zap.Int64("bytes", e.Bytes))
	}
	if e.Repaired {
		fields = append(fields, zap.Bool("repaired", true))
	}
	if e.Replayed {
		fields = append(fields, zap.Bool("replayed", true))
	}
	if e.Err != nil {
		fields = append(fields, zap.Error(e.Err))
	}
	line.Write(fields...)
}
