package observe_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"

	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/faultconn/observe"
	"github.com/brownout-go/brownout/faultconn/transcript"
	"github.com/brownout-go/brownout/internal/observe/observetest"
)

// statsdServer is a real one as far as clients can tell: it hands out the lines
// that come in.
func statsdServer(t *testing.T) (address string, lines <-chan string) {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1000)
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, _, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			for line := range strings.SplitSeq(strings.TrimSpace(string(buf[:n])), "\n") {
				got <- line
			}
		}
	})
	t.Cleanup(func() { _ = udp.Close(); wg.Wait() })
	return udp.LocalAddr().String(), got
}

func next(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case l := <-lines:
		return l
	case <-time.After(10 * time.Second):
		t.Fatal("statsd got nothing more")
		return ""
	}
}

// TestVaurienNames sends requests through a real proxy and reads what a statsd
// server gets of it.
func TestVaurienNames(t *testing.T) {
	address, lines := statsdServer(t)
	client, err := statsd.NewClientWithConfig(&statsd.ClientConfig{Address: address, Prefix: "vaurien"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	v := &observe.Vaurien{Statsd: client, Protocol: "http"}
	log := &transcript.Log{OnEntry: v.Observe, PerConn: 1}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	defer backend.Close()
	s := &control.Server{WrapDial: log.Dialer}
	defer s.Close()
	if err := s.Add(control.Proxy{Name: "p", Upstream: backend.Listener.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^vaurien\.http\.([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})\.(\w+):1\|c$`)
	ids := map[string]bool{}
	for range 2 {
		c, err := net.Dial("tcp", s.Proxies()[0].Listen)
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(c)
		for range 2 {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
		}
		c.Close()
		var got []string
		id := ""
		for range 6 {
			line := next(t, lines)
			m := name.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("statsd got %q", line)
			}
			if id != "" && id != m[1] {
				t.Errorf("one connection counts under %s and %s", id, m[1])
			}
			id = m[1]
			got = append(got, m[2])
		}
		if want := []string{"start", "to_backend", "to_client", "to_backend", "to_client", "end"}; !slices.Equal(got, want) {
			t.Errorf("statsd got %v, want %v", got, want)
		}
		ids[id] = true
	}
	if len(ids) != 2 {
		t.Errorf("two connections count under %d UUIDs", len(ids))
	}
}

func TestVaurienCountsDialsThatFail(t *testing.T) {
	client, sent := observetest.Statsd(t)
	v := &observe.Vaurien{Statsd: client}
	v.Observe(transcript.Entry{Kind: transcript.Failed, Point: "db", Conn: 1, Err: errors.New("refused")})
	// Of a connection it has not seen begin it can say nothing.
	v.Observe(transcript.Entry{Kind: transcript.In, Point: "db", Conn: 1})
	v.Observe(transcript.Entry{Kind: transcript.Close, Point: "db", Conn: 1})
	var got []string
	for _, packet := range sent() {
		protocol, rest, _ := strings.Cut(packet, ".")
		_, what, _ := strings.Cut(rest, ".")
		got = append(got, protocol+" "+what)
	}
	if want := []string{"tcp start:1|c", "tcp end:1|c"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
}

func TestZeroVaurienDoesNothing(t *testing.T) {
	new(observe.Vaurien).Observe(transcript.Entry{Kind: transcript.Open})
}
