package observe_test

import (
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
	"github.com/cactus/go-statsd-client/v5/statsd/statsdtest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/observe"
	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/observe/observetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func Example() {
	sent := statsdtest.NewRecordingSender()
	client, err := statsd.NewClientWithSender(sent, "sync", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	obs := &observe.Observer{Statsd: client}
	inj := &faultconn.Injector{OnEvent: obs.Observe}
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{Fault: fault.Delay{For: 5 * time.Millisecond}}}}); err != nil {
		fmt.Println(err)
		return
	}
	a, b := net.Pipe()
	conn := inj.Conn("memcached", a)
	defer conn.Close()
	go func() {
		io.WriteString(b, "END\r\n")
		b.Close()
	}()
	io.ReadAll(conn)
	for _, s := range sent.GetSent() {
		fmt.Println(string(s.Raw))
	}
	// Output:
	// sync.faultconn.memcached.delay:1|c
	// sync.faultconn.memcached.delay.delay:5|ms
}

func TestOneCounterAndOneLineForEachFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, sent := observetest.Statsd(t)
		core, lines := observer.New(zap.InfoLevel)
		obs := &observe.Observer{Statsd: client, Log: zap.New(core)}
		inj := &faultconn.Injector{OnEvent: obs.Observe}
		if err := inj.SetPlan(faultconn.Plan{Seed: 9, Rules: []faultconn.Rule{
			{Name: "cut", When: faultconn.When{From: 3}, Fault: fault.Reset{}},
		}}); err != nil {
			t.Fatal(err)
		}
		a, b := net.Pipe()
		defer b.Close()
		conn := inj.Conn("ca.che", a)
		defer conn.Close()
		go b.Write([]byte("hello"))
		io.ReadAll(conn)
		if got, want := sent(), []string{"faultconn.ca_che.reset:1|c"}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		if lines.Len() != 1 {
			t.Fatalf("%d lines, want 1", lines.Len())
		}
		want := map[string]any{
			"rule": "cut", "point": "ca.che", "conn": int64(1), "peer": "pipe", "op": "read", "direction": "in",
			"offset": int64(3), "exchange": int64(1), "delay": time.Duration(0), "seed": uint64(9),
		}
		if got := lines.All()[0].ContextMap(); !reflect.DeepEqual(got, want) {
			t.Errorf("line %v\nwant %v", got, want)
		}
	})
}

func TestZeroObserverDoesNothing(t *testing.T) {
	new(observe.Observer).Observe(faultconn.Event{Kind: "delay", Delay: 1})
	(&observe.Observer{Log: zap.New(nil)}).Observe(faultconn.Event{})
}
