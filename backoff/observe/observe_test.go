package observe_test

import (
	"errors"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/observe"
)

var events = []struct {
	event   backoff.Event
	packets []string
	line    string // "" for none
}{
	{
		backoff.Event{Kind: backoff.ValueChanged, Value: backoff.Value{Interval: 1500 * time.Millisecond, Unavailable: 0.125, Note: "ana"}},
		[]string{"backoff.value_changed:1|c", "backoff.interval:2|g", "backoff.unavailable:125|g"},
		"info backoff: value changed",
	},
	{
		backoff.Event{Kind: backoff.StoreFailed, Err: os.ErrDeadlineExceeded, Failures: 1},
		[]string{"backoff.store_failed:1|c"},
		"warn backoff: cannot read the store",
	},
	{
		backoff.Event{Kind: backoff.StoreFailed, Err: os.ErrDeadlineExceeded, Failures: 3},
		[]string{"backoff.store_failed:1|c"},
		"",
	},
	{
		backoff.Event{Kind: backoff.StoreRecovered, Failures: 3},
		[]string{"backoff.store_recovered:1|c"},
		"info backoff: reading the store again",
	},
	{
		backoff.Event{Kind: backoff.HeaderSent, Header: "X-Sync-Poll", Wait: time.Second},
		[]string{"backoff.header_sent.X-Sync-Poll:1|c"},
		"debug backoff: header sent",
	},
	{
		backoff.Event{Kind: backoff.Shed},
		[]string{"backoff.shed:1|c"},
		"debug backoff: request refused",
	},
	{
		backoff.Event{Kind: backoff.Held, Origin: "https://example.org", Wait: time.Minute},
		[]string{"backoff.held:1|c"},
		"info backoff: asked to wait",
	},
	{
		backoff.Event{Kind: backoff.Waited, Origin: "https://example.org", Wait: 1500 * time.Millisecond},
		[]string{"backoff.waited:1|c", "backoff.waited_for:1500|ms"},
		"debug backoff: waited",
	},
	{
		backoff.Event{Kind: backoff.NotSent, Origin: "https://example.org", Err: backoff.ErrHeld},
		[]string{"backoff.not_sent:1|c"},
		"debug backoff: not_sent",
	},
	{
		backoff.Event{Kind: backoff.Retried, Origin: "https://example.org"},
		[]string{"backoff.retried:1|c"},
		"debug backoff: retried",
	},
}

// The packets are those that a statsd server would receive.
func TestPackets(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	client, err := statsd.NewClientWithConfig(&statsd.ClientConfig{Address: server.LocalAddr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	obs := &observe.Observer{Statsd: client}
	for _, c := range events {
		obs.Observe(c.event)
		for _, want := range c.packets {
			buf := make([]byte, 512)
			n, _, err := server.ReadFrom(buf)
			if got := string(buf[:n]); err != nil || got != want {
				t.Errorf("%s: packet %q, %v, want %q", c.event.Kind, got, err, want)
			}
		}
	}
}

func TestLines(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	obs := &observe.Observer{Log: zap.New(core)}
	for _, c := range events {
		obs.Observe(c.event)
		got := ""
		for _, entry := range logs.TakeAll() {
			got = strings.TrimSpace(got + " " + entry.Level.String() + " " + entry.Message)
		}
		if got != c.line {
			t.Errorf("%s: logged %q, want %q", c.event.Kind, got, c.line)
		}
	}

	obs.Observe(backoff.Event{Kind: backoff.ValueChanged, Value: backoff.Value{Interval: time.Minute, Note: "ana: db"}, Err: errors.New("why")})
	want := map[string]any{"value": "1m0s (ana: db)", "previous": "no backoff", "because": "why"}
	if got := logs.TakeAll()[0].ContextMap(); !reflect.DeepEqual(got, want) {
		t.Errorf("fields %v, want %v", got, want)
	}
}

func TestTheZeroObserverIsSilent(t *testing.T) {
	for _, c := range events {
		(&observe.Observer{}).Observe(c.event)
	}
}
