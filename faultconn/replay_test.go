package faultconn_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// traffic runs a request and a long reply on each of three connections, with
// reads and writes of random size, and returns what each side got.
func traffic(t *testing.T, inj *faultconn.Injector, sizes uint64) string {
	t.Helper()
	r := rand.New(rand.NewPCG(sizes, 3))
	var all strings.Builder
	for range 3 {
		a, server := memnet.Pipe()
		client := inj.Conn("db", a)
		var got bytes.Buffer
		served := make(chan string)
		go func() {
			defer server.Close()
			var requests []byte
			b := make([]byte, 100)
			for range 4 {
				if _, err := io.ReadFull(server, b); err != nil {
					break // how it ends depends on what was left unread
				}
				requests = append(requests, b...)
				server.Write(bytes.Repeat([]byte("0123456789"), 300))
			}
			served <- string(requests)
		}()
		for range 4 {
			request := bytes.Repeat([]byte("q"), 100)
			for len(request) > 0 {
				n := min(len(request), 1+r.IntN(60))
				if _, err := client.Write(request[:n]); err != nil {
					fmt.Fprintf(&got, " write: %v", errors.Unwrap(err))
					break
				}
				request = request[n:]
			}
			client.SetReadDeadline(time.Now().Add(time.Minute))
			for left := 3000; left > 0; {
				b := make([]byte, min(left, 1+r.IntN(500)))
				n, err := client.Read(b)
				got.Write(b[:n])
				left -= n
				if err != nil {
					fmt.Fprintf(&got, " read: %v", errors.Unwrap(err))
					break
				}
			}
		}
		client.Close()
		fmt.Fprintf(&all, "client %s\nserver %s\n", got.String(), <-served)
	}
	return all.String()
}

// hostile has rules of every scope, some of which count over all connections.
func hostile(seed uint64) faultconn.Plan {
	return faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{
		{Name: "flips", Select: reads, Scope: faultconn.PerByte, Chance: 0.0005, Fault: flip{}},
		{Name: "slow", Chance: 0.4, Fault: fault.Delay{For: time.Second, Jitter: time.Second}},
		{Name: "bad day", Chance: 0.5, Scope: faultconn.PerConnection, When: faultconn.When{From: 4000, First: 2}, Fault: fault.Corrupt{}},
		{Name: "mixed", When: faultconn.When{Skip: 3, Every: 2}, Mix: []faultconn.Share{
			{Percent: 20, Fault: fault.Garbage{Bytes: 70, Inside: true}},
			{Percent: 20, Fault: fault.Duplicate{Bytes: 1}},
			{Percent: 20, Fault: fault.Fail{With: "timeout"}},
			{Percent: 10, Fault: fault.Abort{}},
		}},
	}}
}

func record(inj *faultconn.Injector) (log func() []faultconn.Event) {
	var mu sync.Mutex
	var events []faultconn.Event
	inj.OnEvent = func(e faultconn.Event) {
		mu.Lock()
		defer mu.Unlock()
		events = append(events, e)
	}
	return func() []faultconn.Event {
		mu.Lock()
		defer mu.Unlock()
		return events
	}
}

// places are the events without what belongs to the run.
func places(log []faultconn.Event) []faultconn.Event {
	var p []faultconn.Event
	for _, e := range log {
		e.Time, e.Peer, e.Seed = time.Time{}, "", 0
		p = append(p, e)
	}
	return p
}

// A log that has been written and read again gives the same bytes and the same
// events, even under another seed: the draws are in the log.
func TestReplay(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			var first faultconn.Injector
			log := record(&first)
			must(t, &first, hostile(seed))
			want := traffic(t, &first, 1)

			var file bytes.Buffer
			lines := json.NewEncoder(&file)
			for _, e := range log() {
				if err := lines.Encode(e); err != nil {
					t.Fatal(err)
				}
			}
			read, err := faultconn.ReadLog(&file)
			if err != nil || len(read) == 0 {
				t.Fatalf("%d events, %v", len(read), err)
			}
			var second faultconn.Injector
			again := record(&second)
			if err := second.Replay(hostile(seed), read); err != nil {
				t.Fatal(err)
			}
			if got := traffic(t, &second, 1); got != want {
				t.Errorf("seed %d: the bytes differ", seed)
			}
			if !reflect.DeepEqual(places(again()), places(log())) {
				t.Errorf("seed %d: events\n%v\nwant\n%v", seed, again(), log())
			}
		})
	}
}

// Offsets are what a log goes by, not the sizes of reads.
func TestReplayWithOtherReadSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := hostile(7)
		plan.Rules = plan.Rules[:3] // what depends on no read size
		var first faultconn.Injector
		log := record(&first)
		must(t, &first, plan)
		want := traffic(t, &first, 1)
		for sizes := range uint64(20) {
			var second faultconn.Injector
			if err := second.Replay(plan, log()); err != nil {
				t.Fatal(err)
			}
			if got := traffic(t, &second, sizes); got != want {
				t.Fatalf("sizes %d: the bytes differ", sizes)
			}
		}
	})
}

// Without its log, the plan gives the same faults at the same places too.
func TestSameSeedSameFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := hostile(7)
		plan.Rules = plan.Rules[:3]
		var want []faultconn.Event
		for run := range uint64(100) {
			var inj faultconn.Injector
			log := record(&inj)
			must(t, &inj, plan)
			traffic(t, &inj, run)
			if run == 0 {
				want = places(log())
			} else if got := places(log()); !reflect.DeepEqual(got, want) {
				t.Fatalf("run %d: %v\nwant %v", run, got, want)
			}
		}
	})
}

// A line taken out of the log is a fault less.
func TestReplayOfPartOfALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first faultconn.Injector
		log := record(&first)
		must(t, &first, hostile(2))
		traffic(t, &first, 1)
		part := places(log())[:1]
		var second faultconn.Injector
		again := record(&second)
		if err := second.Replay(hostile(2), part); err != nil {
			t.Fatal(err)
		}
		traffic(t, &second, 1)
		if got := places(again()); !reflect.DeepEqual(got, part) {
			t.Errorf("struck %v, want %v", got, part)
		}
	})
}

func TestReplayRefusesAnotherPlansLog(t *testing.T) {
	var inj faultconn.Injector
	for _, e := range []faultconn.Event{{Rule: "none", Kind: "delay"}, {Rule: "r", Kind: "reset"}} {
		if err := inj.Replay(one(fault.Delay{For: 1}), []faultconn.Event{e}); err == nil || !strings.Contains(err.Error(), "is in the log but not in the plan") {
			t.Errorf("%v: %v", e, err)
		}
	}
}

func TestReadLog(t *testing.T) {
	for in, want := range map[string]string{
		"{}\n{\"rule\": 7}":        "line 2: faultconn: event: rule 7: must be a string",
		"\n{\"offzet\": 7}":        "line 2: faultconn: event: offzet: unknown: must be one of time, seed",
		"{\"delay\": 7}":           "line 1: faultconn: event: delay 7: must be a duration",
		"{\"time\": \"tomorrow\"}": "line 1: faultconn: event: time \"tomorrow\": ",
		"nonsense":                 "line 1: faultconn: event: ",
	} {
		if _, err := faultconn.ReadLog(strings.NewReader(in)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
	e := faultconn.Event{
		Time: time.Unix(1, 2).UTC(), Seed: 1 << 63, Rule: "r", Kind: "k", Point: "p", Conn: 3, Op: faultconn.OpRead,
		Offset: 1 << 40, Exchange: 5, Hit: 6, Delay: time.Hour, Peer: "db:1",
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := faultconn.ReadLog(bytes.NewReader(text))
	if err != nil || !reflect.DeepEqual(got, []faultconn.Event{e}) {
		t.Errorf("%s comes back as %v, %v", text, got, err)
	}
}

func FuzzReadLog(f *testing.F) {
	f.Add("{\"rule\":\"r\",\"delay\":\"1s\",\"time\":\"2026-11-21T04:00:00Z\"}\n")
	f.Fuzz(func(t *testing.T, text string) {
		log, err := faultconn.ReadLog(strings.NewReader(text))
		if err != nil {
			return
		}
		var file bytes.Buffer
		for _, e := range log {
			if err := json.NewEncoder(&file).Encode(e); err != nil {
				t.Fatal(err)
			}
		}
		again, err := faultconn.ReadLog(&file)
		if err != nil || !reflect.DeepEqual(again, log) {
			t.Errorf("%v comes back as %v, %v", log, again, err)
		}
	})
}
