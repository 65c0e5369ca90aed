package framing_test

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// received sends replies to a client in pieces of n bytes, after its requests,
// through a plan of one fault, and returns what arrives at both ends.
func received(t *testing.T, f faultconn.Fault, requests, replies []byte, n int) (atServer, atClient string, clientErr error) {
	t.Helper()
	var inj faultconn.Injector
	if err := inj.SetPlan(faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{{Fault: f}}}); err != nil {
		t.Fatal(err)
	}
	a, b := memnet.Pipe()
	defer b.Close()
	c := inj.Conn("server", a)
	defer c.Close()
	got := make(chan string)
	go func() {
		all, _ := io.ReadAll(b)
		got <- string(all)
	}()
	inPieces(c, requests, n)
	c.(interface{ CloseWrite() error }).CloseWrite()
	atServer = <-got
	inPieces(b, replies, n)
	b.CloseWrite()
	buf := make([]byte, n)
	for {
		n, err := c.Read(buf)
		atClient += string(buf[:n])
		if err == io.EOF {
			return atServer, atClient, nil
		}
		if err != nil {
			return atServer, atClient, err
		}
	}
}

// inPieces writes p, which fits the buffer of a pipe, in writes of n bytes.
func inPieces(c net.Conn, p []byte, n int) {
	for len(p) > 0 {
		m, err := c.Write(p[:min(n, len(p))])
		if err != nil {
			return
		}
		p = p[m:]
	}
}

// FuzzFaults holds the faults to what they promise for any bytes: what is not
// struck passes unchanged, where a message is struck does not depend on how the
// stream is cut, and nothing that is refused panics or hangs.
func FuzzFaults(f *testing.F) {
	names := []string{"http", "memcached", "redis", "mysql", "postgres", "smtp", "ldap", "lines"}
	for _, c := range conversations {
		var sent [2]string
		for _, turn := range c.turns {
			i := 0
			if turn.reply {
				i = 1
			}
			sent[i] += turn.bytes
		}
		for i, name := range names {
			if name == c.protocol {
				f.Add(uint8(i), []byte(sent[0]), []byte(sent[1]), uint8(3), uint8(1), uint8(2))
			}
		}
	}
	f.Fuzz(func(t *testing.T, protocol uint8, requests, replies []byte, n, number, at uint8) {
		if len(requests)+len(replies) > 32<<10 {
			return // more than the buffers hold
		}
		name := names[int(protocol)%len(names)]
		messages := framing.Messages{Number: int(number)}
		pass := &framing.On{Protocol: name, Messages: messages, Fault: fault.Normal{}}
		out, in, err := received(t, pass, requests, replies, int(n)+1)
		if out != string(requests) || in != string(replies) || err != nil {
			t.Fatalf("nothing is wrong, and %q, %q became %q, %q, %v", requests, replies, out, in, err)
		}
		for _, place := range []string{"head", "body"} {
			var lengths [2]int
			for i, size := range []int{1 << 20, int(n) + 1} {
				cut := &framing.On{Protocol: name, Messages: messages, At: place, Byte: int64(at), Fault: fault.Reset{}}
				_, in, err := received(t, cut, requests, replies, size)
				if err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Fatal(err)
				}
				if len(in) > len(replies) || in != string(replies[:len(in)]) {
					t.Fatalf("%q became %q", replies, in)
				}
				lengths[i] = len(in)
			}
			// A head that turns out to be none is told late.
			if lengths[0] < lengths[1] {
				t.Fatalf("%s, %s of %d: cut after %d bytes whole, after %d in pieces", name, place, number, lengths[0], lengths[1])
			}
		}
		if name != "lines" {
			received(t, &framing.Reply{Protocol: name, Messages: messages}, requests, replies, int(n)+1)
		}
	})
}
