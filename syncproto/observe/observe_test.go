package observe_test

import (
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"github.com/cactus/go-statsd-client/v5/statsd/statsdtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brownout-go/brownout/internal/observe/observetest"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/observe"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func TestMetrics(t *testing.T) {
	for _, c := range []struct {
		e    syncproto.Event
		want []string
	}{
		{
			syncproto.Event{Op: "pull", Status: 200, Idle: true, User: "ann@example.com", Elapsed: 3 * time.Millisecond},
			[]string{"syncproto.pull.200:1|c", "syncproto.pull.time:3|ms", "syncproto.pull.idle:1|c"},
		}, {
			syncproto.Event{Op: "push", Status: 200, Apps: 2, Bytes: 50, Repaired: true, Replayed: true},
			[]string{"syncproto.push.200:1|c", "syncproto.push.time:0|ms", "syncproto.push.apps:2|c", "syncproto.push.bytes:50|c", "syncproto.push.repaired:1|c", "syncproto.push.replayed:1|c"},
		}, {
			syncproto.Event{Status: 404},
			[]string{"syncproto.other.404:1|c", "syncproto.other.time:0|ms"},
		},
	} {
		sender, sent := observetest.Statsd(t)
		o := observe.Observer{Statsd: sender}
		o.Observe(c.e)
		if got := sent(); !slices.Equal(got, c.want) {
			t.Errorf("%+v: sent %q, want %q", c.e, got, c.want)
		}
	}
}

func TestLog(t *testing.T) {
	down := errors.New("down")
	for _, c := range []struct {
		e    syncproto.Event
		want zapcore.Level
	}{
		{syncproto.Event{Op: "pull", Status: 200}, zapcore.DebugLevel},
		{syncproto.Event{Op: "push", Status: 200, Apps: 1, Err: down}, zapcore.WarnLevel},
		{syncproto.Event{Op: "push", Status: 412, Err: syncproto.ErrConflict}, zapcore.InfoLevel},
		{syncproto.Event{Op: "pull", Status: 499, Err: down}, zapcore.InfoLevel},
		{syncproto.Event{Op: "pull", Status: 503, User: "ann", Collection: "apps", Err: down}, zapcore.ErrorLevel},
	} {
		core, logs := observer.New(zapcore.DebugLevel)
		o := observe.Observer{Log: zap.New(core)}
		o.Observe(c.e)
		lines := logs.All()
		if len(lines) != 1 || lines[0].Level != c.want {
			t.Fatalf("%+v: %+v, want one line of level %v", c.e, lines, c.want)
		}
		f := lines[0].ContextMap()
		if f["op"] != c.e.Op || f["status"] != int64(c.e.Status) || (f["error"] != nil) != (c.e.Err != nil) || c.e.User != "" && f["user"] != c.e.User {
			t.Errorf("%+v: fields %v", c.e, f)
		}
	}
}

func TestZeroObserver(t *testing.T) {
	var o observe.Observer
	o.Observe(syncproto.Event{Op: "pull", Status: 200})
}

func Example() {
	rec := statsdtest.NewRecordingSender()
	client, err := statsd.NewClientWithSender(rec, "web1", 0)
	if err != nil {
		log.Fatal(err)
	}
	obs := &observe.Observer{Statsd: client, Log: zap.NewNop()}
	h, err := syncproto.New(syncproto.Config{
		Store:       new(syncproto.Memory),
		Verifier:    verify.Plain{},
		Development: true,
		OnEvent:     obs.Observe,
	})
	if err != nil {
		log.Fatal(err)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/__heartbeat__", nil))
	fmt.Printf("%s\n", rec.GetSent()[0].Raw)
	// Output: web1.syncproto.heartbeat.200:1|c
}
