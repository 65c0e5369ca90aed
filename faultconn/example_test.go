package faultconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// A client under test gets a dial function whose connections are reset after
// ten bytes of the reply. Offsets count in each direction, so that without Ops
// the rule would also strike the tenth byte of a request.
func Example() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer ln.Close()
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "VALUE key 0 5\r\nhello\r\nEND\r\n")
		io.Copy(io.Discard, c)
	}()

	var inj faultconn.Injector
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{
		Name:   "cut short",
		Select: faultconn.Select{Point: "memcached", Ops: []faultconn.OpKind{faultconn.OpRead}},
		When:   faultconn.When{From: 10},
		Fault:  fault.Reset{},
	}}}); err != nil {
		panic(err)
	}
	dial := inj.Dialer("memcached", nil)

	conn, err := dial(context.Background(), "tcp", ln.Addr().String())
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	reply, err := io.ReadAll(conn)
	fmt.Printf("%q\n", reply)
	fmt.Println("reset:", errors.Is(err, syscall.ECONNRESET))
	fmt.Println("hits:", inj.Hits("cut short"))
	// Output:
	// "VALUE key "
	// reset: true
	// hits: 1
}

// From normal to total blackout: each exchange draws its fate. The seed makes
// it the same fate every time.
func Example_mix() {
	inj := faultconn.Injector{OnEvent: func(e faultconn.Event) { fmt.Println(e) }}
	plan := faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{{
		Name: "bad day",
		Mix: []faultconn.Share{
			{Percent: 30, Fault: fault.Delay{For: time.Millisecond}},
			{Percent: 10, Fault: fault.Garbage{Text: "?"}},
			{Percent: 10, Fault: fault.Abort{}},
		},
	}}}
	if err := inj.SetPlan(plan); err != nil {
		panic(err)
	}
	a, server := net.Pipe()
	defer server.Close()
	go func() {
		b := make([]byte, 1)
		for {
			if _, err := server.Read(b); err != nil {
				return
			}
			server.Write(b)
		}
	}()
	conn := inj.Conn("db", a)
	defer conn.Close()
	for err := error(nil); err == nil; {
		conn.Write([]byte("x"))
		_, err = conn.Read(make([]byte, 1))
	}
	// Output:
	// bad day: delay on db 1, read at byte 1 of exchange 2, 1ms (seed 1)
	// bad day: garbage on db 1, read at byte 2 of exchange 3 (seed 1)
	// bad day: garbage on db 1, read at byte 3 of exchange 4 (seed 1)
	// bad day: delay on db 1, read at byte 4 of exchange 5, 1ms (seed 1)
	// bad day: delay on db 1, read at byte 5 of exchange 6, 1ms (seed 1)
	// bad day: abort on db 1, read at byte 7 of exchange 8 (seed 1)
}

// Another fault joins those in force. The connection is cut after ten bytes all
// the same: SetPlan would have begun to count anew.
func ExampleInjector_Update() {
	inj := faultconn.Injector{OnEvent: func(e faultconn.Event) { fmt.Println(e) }}
	plan := faultconn.Plan{Rules: []faultconn.Rule{{
		Name:   "cut short",
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}},
		When:   faultconn.When{From: 10},
		Fault:  fault.Close{},
	}}}
	if err := inj.SetPlan(plan); err != nil {
		panic(err)
	}
	a, server := net.Pipe()
	defer server.Close()
	go io.WriteString(server, "VALUE key 0 5\r\nhello\r\nEND\r\n")
	conn := inj.Conn("memcached", a)
	defer conn.Close()

	b := make([]byte, 6)
	io.ReadFull(conn, b)
	fmt.Printf("%q\n", b)

	plan.Rules = append(plan.Rules, faultconn.Rule{Name: "slow", Fault: fault.Delay{For: time.Millisecond}})
	if err := inj.Update(plan); err != nil {
		panic(err)
	}
	rest, err := io.ReadAll(conn)
	fmt.Printf("%q, %v\n", rest, err)
	// Output:
	// "VALUE "
	// slow: delay on memcached 1, read at byte 0 of exchange 1, 1ms (seed 0)
	// cut short: close on memcached 1, read at byte 10 of exchange 1 (seed 0)
	// "key ", <nil>
}

// A plan file is read against a catalogue. Mistakes are told, not ignored.
func ExampleCatalogue_Parse() {
	plan, err := fault.Catalogue().Parse([]byte(`{"seed": 7, "rules": [{
		"name": "slow cache",
		"select": {"point": "memcached"},
		"chance": 0.3,
		"fault": {"kind": "delay", "for": "20s"}
	}]}`))
	fmt.Println(plan, err)

	_, err = fault.Catalogue().Parse([]byte(`{"rules": [{"fault": {"kind": "hang", "for": "20s"}}]}`))
	fmt.Println(err)
	_, err = fault.Catalogue().Parse([]byte(`{"rules": [{"name": "slow", "chance": 1.5, "fault": {"kind": "hang"}}]}`))
	fmt.Println(err)
	// Output:
	// {"seed":7,"rules":[{"name":"slow cache","select":{"point":"memcached"},"chance":0.3,"fault":{"kind":"delay","for":"20s"}}]} <nil>
	// faultconn: plan: rules[0].fault.for: unknown: there are no options here
	// faultconn: rule "slow": chance 1.5: must be within [0, 1]
}
