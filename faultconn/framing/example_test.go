package framing_test

import (
	"fmt"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
)

// Bytes come in pieces of any size; each part says what it belongs to.
func Example() {
	conv := framing.HTTP()
	for _, piece := range []string{
		"POST /a HTTP/1.1\r\nContent-Le",
		"ngth: 5\r\n\r\nhel",
		"loGET /b HTTP/1.1\r\n\r\n",
	} {
		for p := []byte(piece); len(p) > 0; {
			part := conv.Requests.Next(p)
			fmt.Printf("%d %s %-4s %2d bytes, end %t\n", part.Number, part.Section, part.Command, part.N, part.End)
			p = p[part.N:]
		}
	}
	// Output:
	// 1 head      28 bytes, end false
	// 1 head POST 11 bytes, end false
	// 1 body POST  3 bytes, end false
	// 1 body POST  2 bytes, end true
	// 2 head GET  19 bytes, end true
}

// What a MySQL server says in the place of its greeting when it is full.
func ExampleMySQLError() {
	packet := framing.MySQLError(0, 1040, "08004", "Too many connections")
	fmt.Printf("%q\n", packet)

	part := framing.MySQL().Replies.Next(packet)
	fmt.Println(part.Command)
	// Output:
	// "\x17\x00\x00\x00\xff\x10\x04Too many connections"
	// ERR
}

// The second of the connections that ask for it is told that the database is
// full, in PostgreSQL's own words.
func ExampleReply() {
	plan := faultconn.Plan{Seed: 7, Rules: []faultconn.Rule{{
		Name: "full",
		Fault: &framing.Reply{
			Protocol: "postgres",
			Error:    "too-many-connections",
			Messages: framing.Messages{Skip: 1, First: 1},
		},
	}}}
	fmt.Println(plan)
	// Output:
	// {"seed":7,"rules":[{"name":"full","fault":{"kind":"reply","protocol":"postgres","messages":{"skip":1,"first":1},"error":"too-many-connections"}}]}
}

// Every third reply breaks off in the middle of its body.
func ExampleOn() {
	plan := faultconn.Plan{Rules: []faultconn.Rule{{
		Fault: &framing.On{
			Protocol: "http",
			Messages: framing.Messages{Commands: []string{"200"}, Every: 3},
			At:       "body",
			Byte:     512,
			Fault:    fault.Reset{},
		},
	}}}
	fmt.Println(plan.Validate())
	// Output: <nil>
}
