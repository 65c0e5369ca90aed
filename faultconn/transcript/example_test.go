package transcript_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/transcript"
)

// A login is on the log, but for its password, which comes in two writes.
func Example() {
	client, server := memnet.Pipe()
	defer server.Close()
	log := &transcript.Log{
		Mask: []*regexp.Regexp{regexp.MustCompile(`(?m)^PASS (.*?)\r?$`)},
		OnEntry: func(e transcript.Entry) {
			if e.Kind == transcript.Out {
				e.Time = time.Date(2010, 5, 1, 12, 0, 0, 0, time.UTC) // an example prints the same every day
				transcript.Text(os.Stdout)(e)
			}
		},
	}
	c := log.Conn("pop", client)
	defer c.Close()
	io.WriteString(c, "USER tarek\r\nPASS sec")
	io.WriteString(c, "ret\r\n")
	c.Write([]byte{0, 1, 2, 250})
	// Output:
	// 12:00:00.000 pop 1 > USER tarek
	// 12:00:00.000 pop 1 > PASS ******
	// 12:00:00.000 pop 1 > 00000000  00 01 02 fa                                       |....|
}

// The log says what the application saw, and why it took so long.
func TestFaultsBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memnet.Network{}
		defer n.Close()
		l, err := n.Listen("tcp", "cache:11211")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		recent := &transcript.Recent{}
		log := &transcript.Log{OnEntry: recent.Add}
		inj := &faultconn.Injector{OnEvent: log.Fault}
		served := make(chan struct{})
		go func() {
			defer close(served)
			c, err := log.Listener("served", l).Accept()
			if err != nil {
				t.Error(err)
				return
			}
			buf := make([]byte, 100)
			if _, err := c.Read(buf); err != nil {
				t.Error(err)
			}
			io.WriteString(c, "VALUE a 0 5\r\nhello\r\nEND\r\n")
			c.Read(buf)
			c.Close()
		}()
		if err := inj.SetPlan(faultconn.Plan{Seed: 7, Rules: []faultconn.Rule{{Name: "slow cache", Fault: fault.Delay{For: 20 * time.Second}}}}); err != nil {
			t.Fatal(err)
		}
		dial := log.Dialer("memcached", inj.Dialer("memcached", n.DialContext))
		if _, err := dial(context.Background(), "tcp", "cache:1"); err == nil {
			t.Fatal("dialled where nobody listens")
		}
		c, err := dial(context.Background(), "tcp", "cache:11211")
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "get a\r\n")
		if _, err := c.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		c.(interface{ CloseWrite() error }).CloseWrite()
		c.Read(make([]byte, 100))
		c.Close()
		c.Close()
		<-served

		got := map[string]string{}
		entries, _ := recent.Entries()
		for _, e := range entries {
			if got[e.Point] == "" && e.Server != (e.Point == "served") {
				t.Errorf("%+v", e)
			}
			got[e.Point] += string(e.AppendText(nil))
		}
		stamp := func(d time.Duration) string { return start.Add(d).Format("15:04:05.000") }
		want := fmt.Sprintf(`%[1]s memcached 1 dial cache:1 failed: dial tcp 10.0.0.1:1: connect: connection refused
%[1]s memcached 2 open to 10.0.0.1:11211
%[1]s memcached 2 > get a
%[1]s memcached 2 ! slow cache: delay on memcached 2, read at byte 0 of exchange 1, 20s (seed 7)
%[2]s memcached 2 < VALUE a 0 5
%[2]s memcached 2 < hello
%[2]s memcached 2 < END
%[2]s memcached 2 > end
%[3]s memcached 2 < end
%[3]s memcached 2 close after 40s, 7 bytes out, 25 in
`, stamp(0), stamp(20*time.Second), stamp(40*time.Second))
		if got["memcached"] != want {
			t.Errorf("got\n%s\nwant\n%s", got["memcached"], want)
		}
	})
}
