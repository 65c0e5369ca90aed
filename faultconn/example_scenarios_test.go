package faultconn_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// echoed dials a server in memory that sends back what it gets.
func echoed(context.Context, string, string) (net.Conn, error) {
	client, server := memnet.Pipe()
	go echo(server)
	return client, nil
}

// A delay that grows at every call until it reaches a maximum, then shrinks.
func Example_ramp() {
	inj := faultconn.Injector{OnEvent: func(e faultconn.Event) { fmt.Println(e.Delay) }}
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{
		Fault: fault.Delay{For: 1 * time.Millisecond, Step: 2 * time.Millisecond, Max: 6 * time.Millisecond, Fall: true},
	}}}); err != nil {
		panic(err)
	}
	conn, _ := inj.Dialer("ldap", echoed)(context.Background(), "tcp", "ldap:389")
	defer conn.Close()
	for range 8 {
		conn.Write([]byte("?"))
		conn.Read(make([]byte, 1))
	}
	// Output:
	// 1ms
	// 3ms
	// 5ms
	// 6ms
	// 5ms
	// 3ms
	// 1ms
	// 3ms
}

// A server that sends on its own is late at every message, and no slower.
func Example_push() {
	var inj faultconn.Injector
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{
		Fault: fault.Delay{For: 100 * time.Millisecond},
	}}}); err != nil {
		panic(err)
	}
	a, server := memnet.Pipe()
	conn := inj.Conn("news", a)
	defer conn.Close()
	start := time.Now()
	go func() {
		defer server.Close()
		for _, word := range []string{"read", "all", "about", "it"} {
			io.WriteString(server, word+"\n")
			time.Sleep(10 * time.Millisecond)
		}
	}()
	sent := start
	for lines := bufio.NewScanner(conn); lines.Scan(); sent = sent.Add(10 * time.Millisecond) {
		fmt.Println(lines.Text(), time.Since(sent) >= 100*time.Millisecond)
	}
	fmt.Println("one after the other:", time.Since(start) >= 4*100*time.Millisecond)
	// Output:
	// read true
	// all true
	// about true
	// it true
	// one after the other: false
}

// The database works, is gone for two minutes, and works again. The window is in
// time since the plan was set; in a test under testing/synctest the minutes cost
// nothing. Here it begins at once and ends with the plan.
func Example_outage() {
	var inj faultconn.Injector
	dial := inj.Dialer("db", echoed)
	conn, _ := dial(context.Background(), "tcp", "db:5432")
	defer conn.Close()

	undo, err := inj.With(faultconn.Plan{Rules: []faultconn.Rule{{
		Name:  "outage",
		When:  faultconn.When{After: 0, Before: 2 * time.Minute},
		Fault: fault.Blackout{},
	}}})
	if err != nil {
		panic(err)
	}
	_, err = conn.Write([]byte("select 1"))
	fmt.Println("open connection: broken pipe:", errors.Is(err, syscall.EPIPE))
	_, err = dial(context.Background(), "tcp", "db:5432")
	fmt.Println("new connection:", err)

	undo()
	again, err := dial(context.Background(), "tcp", "db:5432")
	fmt.Println("afterwards:", err)
	again.Close()
	// Output:
	// open connection: broken pipe: true
	// new connection: dial tcp db:5432: connect: connection refused
	// afterwards: <nil>
}

// Shout is a fault of one's own: replies come in capitals. It goes into plans
// and, once it is in the catalogue, into plan files, with its option:
// {"kind": "shout", "howLoud": 2}.
type Shout struct {
	HowLoud int // exclamation marks behind each piece
}

func (Shout) Kind() string { return "shout" }

// Validate is called before a plan is put in force.
func (s Shout) Validate() error {
	if s.HowLoud < 0 || s.HowLoud > 9 {
		return fmt.Errorf("howLoud %d: must be within [0, 9]", s.HowLoud)
	}
	return nil
}

func (s Shout) Inject(op faultconn.Op) faultconn.Effect {
	if !op.Reply() || len(op.Data) == 0 {
		return faultconn.Effect{}
	}
	return faultconn.Effect{Replace: true, With: string(bytes.ToUpper(op.Data)) + strings.Repeat("!", s.HowLoud)}
}

func ExampleFault() {
	catalogue := append(fault.Catalogue(), Shout{})
	_, err := catalogue.Parse([]byte(`{"rules": [{"fault": {"kind": "shout", "howLoud": 10}}]}`))
	fmt.Println(err)
	plan, err := catalogue.Parse([]byte(`{"rules": [{"fault": {"kind": "shout", "howLoud": 2}}]}`))
	if err != nil {
		panic(err)
	}
	var inj faultconn.Injector
	if err := inj.SetPlan(plan); err != nil {
		panic(err)
	}
	conn, _ := inj.Dialer("db", echoed)(context.Background(), "tcp", "db:1")
	defer conn.Close()
	io.WriteString(conn, "hello")
	b := make([]byte, 7)
	io.ReadFull(conn, b)
	fmt.Printf("%s\n", b)
	// Output:
	// faultconn: rule "rule 1": fault shout: howLoud 10: must be within [0, 9]
	// HELLO!!
}

// A real server and a real client over a network in memory; every second dial
// is refused.
func ExampleInjector_Dialer() {
	var network memnet.Network
	defer network.Close()
	ln, err := network.Listen("tcp", "api:80")
	if err != nil {
		panic(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "fine")
	})}
	go server.Serve(ln)
	defer server.Close()

	var inj faultconn.Injector
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{
		When: faultconn.When{Every: 2}, Fault: fault.Refuse{},
	}}}); err != nil {
		panic(err)
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext:       inj.Dialer("api", network.DialContext),
		DisableKeepAlives: true,
	}}
	for range 4 {
		res, err := client.Get("http://api/")
		if err != nil {
			fmt.Println(err)
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Printf("%s\n", body)
	}
	// Output:
	// fine
	// Get "http://api/": dial tcp api:80: connect: connection refused
	// fine
	// Get "http://api/": dial tcp api:80: connect: connection refused
}

// The events of a run, kept as JSON lines, make another run see the same.
func ExampleInjector_Replay() {
	plan := faultconn.Plan{Seed: 5, Rules: []faultconn.Rule{{
		Name:   "flaky",
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}},
		Chance: 0.3,
		Fault:  fault.Fail{With: "timeout"},
	}}}
	run := func(inj *faultconn.Injector) {
		conn, _ := inj.Dialer("db", echoed)(context.Background(), "tcp", "db:1")
		defer conn.Close()
		for range 6 {
			conn.Write([]byte("?"))
			conn.Read(make([]byte, 1))
		}
	}

	var (
		mu   sync.Mutex // several connections have events at once
		file bytes.Buffer
	)
	log := json.NewEncoder(&file)
	first := faultconn.Injector{OnEvent: func(e faultconn.Event) {
		mu.Lock()
		defer mu.Unlock()
		log.Encode(e)
	}}
	if err := first.SetPlan(plan); err != nil {
		panic(err)
	}
	run(&first)

	events, err := faultconn.ReadLog(&file)
	if err != nil {
		panic(err)
	}
	second := faultconn.Injector{OnEvent: func(e faultconn.Event) { fmt.Println("again:", e) }}
	for _, e := range events {
		fmt.Println("first:", e)
	}
	if err := second.Replay(plan, events); err != nil {
		panic(err)
	}
	run(&second)
	// Output:
	// first: flaky: fail on db 1, read at byte 3 of exchange 4 (seed 5)
	// again: flaky: fail on db 1, read at byte 3 of exchange 4 (seed 5)
}
