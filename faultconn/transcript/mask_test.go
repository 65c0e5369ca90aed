package transcript

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// sink is a connection that takes what is written to it, so much at once.
type sink struct {
	net.Conn
	most int
}

func (s sink) Write(b []byte) (int, error) {
	if len(b) > s.most {
		return s.most, io.ErrShortWrite
	}
	return len(b), nil
}
func (sink) RemoteAddr() net.Addr { return nil }
func (sink) Close() error         { return nil }

// logged is what a connection's log shows of what is written to it in pieces.
func logged(t testing.TB, pieces [][]byte, mask ...*regexp.Regexp) (shown []byte, entries []Entry) {
	t.Helper()
	log := Log{PerEntry: -1, PerConn: -1, Mask: mask, OnEntry: func(e Entry) { entries = append(entries, e) }}
	c := log.Conn("x", sink{most: 1 << 20})
	at := int64(0)
	for _, p := range pieces {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	for _, e := range entries {
		if e.Kind != Out {
			continue
		}
		if e.Offset != at {
			t.Errorf("an entry at %d, want it at %d", e.Offset, at)
		}
		at += int64(e.Size)
		shown = append(shown, e.Data...)
	}
	return shown, entries
}

const login = "USER tarek\r\nPASS secret\r\nLIST\r\npassword=hünter2&x=1\r\ncard 1234567812345678 and more\r\n"

var loginMasks = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^PASS (.*?)\r?$`),
	regexp.MustCompile(`(?i)\bpassword=([^&]*)`),
	regexp.MustCompile(`[0-9]{16}`),
}

const loginShown = "USER tarek\r\nPASS ******\r\nLIST\r\npassword=********&x=1\r\ncard **************** and more\r\n"

// However a secret is cut in two, or all of it into single bytes, it is masked and
// nothing else is.
func TestMaskAcrossCuts(t *testing.T) {
	for i := range len(login) {
		got, _ := logged(t, [][]byte{[]byte(login[:i]), []byte(login[i:])}, loginMasks...)
		if string(got) != loginShown {
			t.Errorf("cut at %d: %q", i, got)
		}
	}
	var single [][]byte
	for i := range len(login) {
		single = append(single, []byte{login[i]})
	}
	got, entries := logged(t, single, loginMasks...)
	if string(got) != loginShown {
		t.Errorf("byte by byte: %q", got)
	}
	if len(entries) < 20 {
		t.Errorf("%d entries: what cannot be a secret is kept back", len(entries))
	}
}

// What could be a secret is told of after a second, masked, and so is the rest of
// it when that comes; the other side, an error and the end do not wait so long.
func TestMaskDoesNotWaitForEver(t *testing.T) {
	mask := []*regexp.Regexp{regexp.MustCompile(`(?m)^PASS (.*?)\r?$`), regexp.MustCompile(`token=(\w+)`), regexp.MustCompile(`key=(\d+);`)}
	for name, c := range map[string]struct {
		do   func(c net.Conn, peer net.Conn)
		want string
	}{
		"pause": {
			func(c, _ net.Conn) {
				io.WriteString(c, "USER a\r\nPASS se")
				time.Sleep(2 * time.Second)
				io.WriteString(c, "cret\r\nLIST\r\n")
			},
			`0s open, 0s out 0 "USER a\r\n", 0s out 8 "PASS **", 2s out 15 "****\r\nLIST\r\n", 2s close`,
		},
		"pause shorter than the log's patience": {
			func(c, _ net.Conn) {
				io.WriteString(c, "USER a\r\nPASS se")
				time.Sleep(999 * time.Millisecond)
				io.WriteString(c, "cret\r\nLIST\r\n")
			},
			`0s open, 0s out 0 "USER a\r\n", 999ms out 8 "PASS ******\r\nLIST\r\n", 999ms close`,
		},
		"drops": {
			func(c, _ net.Conn) {
				io.WriteString(c, "PASS ")
				for range 5 {
					time.Sleep(400 * time.Millisecond)
					io.WriteString(c, "s")
				}
			},
			`0s open, 800ms out 0 "PASS **", 2s out 7 "***", 2s close`,
		},
		"the other side speaks": {
			func(c, peer net.Conn) {
				io.WriteString(c, "GET /?token=abc")
				time.Sleep(time.Millisecond)
				io.WriteString(peer, "OK")
				c.Read(make([]byte, 9))
				io.WriteString(c, "def HTTP/1.1\r\n")
			},
			`0s open, 0s out 0 "GET /?", 0s out 6 "token=***", 1ms in 0 "OK", 1ms out 15 "*** HTTP/1.1\r\n", 1ms close`,
		},
		"an error": {
			func(c, _ net.Conn) {
				io.WriteString(c, "PASS se")
				c.SetReadDeadline(time.Now())
				c.Read(make([]byte, 9))
				io.WriteString(c, "cret\r\n")
			},
			`0s open, 0s out 0 "PASS **", 0s error, 0s out 7 "****\r\n", 0s close`,
		},
		"the end": {
			func(c, peer net.Conn) {
				io.WriteString(peer, "a token=xyz")
				peer.Close()
				io.Copy(io.Discard, struct{ io.Reader }{c})
			},
			`0s open, 0s in 0 "a ", 0s in 2 "token=***", 0s end-in, 0s close`,
		},
		"cut off": {
			func(c, peer net.Conn) {
				io.WriteString(c, "a key=12")
			},
			`0s open, 0s out 0 "a ", 0s out 2 "******", 0s close`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var got []string
				log := Log{Mask: mask, OnEntry: func(e Entry) {
					line := fmt.Sprint(e.Time.Sub(start), " ", e.Kind)
					if e.Size > 0 {
						line += fmt.Sprintf(" %d %q", e.Offset, e.Data)
					}
					got = append(got, line)
				}}
				a, b := memnet.Pipe()
				conn := log.Conn("x", a)
				c.do(conn, b)
				conn.Close()
				b.Close()
				time.Sleep(time.Minute)
				if s := strings.Join(got, ", "); s != c.want {
					t.Errorf("got  %s\nwant %s", s, c.want)
				}
			})
		})
	}
}

// A match that goes on for longer than is remembered is not shown at all, and
// what comes behind it is.
func TestMaskOfALongSecret(t *testing.T) {
	secret := "<key>" + strings.Repeat("0123456789", 30_000) + "</key>"
	all := "before" + secret + "<a>" + strings.Repeat("b", 10_000) + "<key>1</key>"
	for _, size := range []int{1000, 4096, 100_000} {
		var pieces [][]byte
		for p := range slices.Chunk([]byte(all), size) {
			pieces = append(pieces, p)
		}
		got, entries := logged(t, pieces, regexp.MustCompile(`<key>(.*?)</key>`))
		if bytes.ContainsAny(got, "0123456789") {
			t.Errorf("in pieces of %d: shown: %.100q", size, got)
		}
		if size < 100_000 && !strings.HasSuffix(string(got), "bbbb<key>*</key>") || !strings.HasPrefix(string(got), "before") {
			t.Errorf("in pieces of %d: shown %.20q ... %q", size, got, got[max(0, len(got)-20):])
		}
		total := 0
		for _, e := range entries {
			if e.Kind == Out {
				total += e.Size
			}
		}
		if total != len(all) {
			t.Errorf("in pieces of %d: %d bytes on the log, want %d", size, total, len(all))
		}
	}
}

// Who goes on where a short write has ended does not get round the mask.
func TestMaskAfterShortWrites(t *testing.T) {
	for most := 1; most < 15; most++ {
		var shown []string
		log := Log{Mask: []*regexp.Regexp{regexp.MustCompile(`PASS (\w+)`)}, OnEntry: func(e Entry) { shown = append(shown, string(e.Data)) }}
		c := log.Conn("x", sink{most: most})
		for rest := []byte("PASS secret\n"); len(rest) > 0; {
			n, _ := c.Write(rest)
			rest = rest[n:]
		}
		c.Close()
		for _, s := range shown {
			if strings.ContainsAny(s, "secrt") {
				t.Errorf("%d bytes at once: %q", most, shown)
			}
		}
	}
}

// A proxy reads the first 256 bytes by themselves.
func TestMaskBehindAProxy(t *testing.T) {
	n := &memnet.Network{}
	defer n.Close()
	upstream, err := n.Listen("tcp", "db:5432")
	if err != nil {
		t.Fatal(err)
	}
	front, err := n.Listen("tcp", "front:1")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var shown []byte
	log := &Log{Mask: []*regexp.Regexp{regexp.MustCompile(`PASS (\w+)`)}, OnEntry: func(e Entry) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == Out {
			shown = append(shown, e.Data...)
		}
	}}
	p := &proxy.Proxy{Upstream: "db:5432", Dial: log.Dialer("db", n.DialContext)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.Serve(front)
	}()
	text := strings.Repeat("x", 248) + " PASS secret\r\n"
	c, err := n.DialContext(context.Background(), "tcp", "front:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	backend, err := upstream.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(backend, make([]byte, len(text))); err != nil {
		t.Fatal(err)
	}
	c.Close()
	backend.Close()
	p.Close()
	<-served
	if want := strings.Replace(text, "secret", "******", 1); string(shown) != want {
		t.Errorf("shown: %q", shown)
	}
}

// What one expression still waits for does not cut the match of another in two.
func TestMaskOfOverlappingExpressions(t *testing.T) {
	got, _ := logged(t, [][]byte{[]byte("a bcde"), []byte("x yz")}, regexp.MustCompile(`bcde`), regexp.MustCompile(`def`), regexp.MustCompile(`(a) bcd`))
	if string(got) != "* ****x yz" {
		t.Errorf("shown: %q", got)
	}
}

// An expression in the syntax of POSIX is searched for too, though Perl's syntax
// has no x**.
func TestMaskPOSIX(t *testing.T) {
	got, _ := logged(t, [][]byte{[]byte("a xx"), []byte("xb ")}, regexp.MustCompilePOSIX(`ax**|x**b`))
	if string(got) != "* **** " {
		t.Errorf("shown: %q", got)
	}
}

var expressions = []*regexp.Regexp{
	regexp.MustCompile(`ab(c*)a`), regexp.MustCompile(`é+`), regexp.MustCompile(`(?i)k(a|ba)+`), regexp.MustCompile(`(A)BA|B(A)C`),
	regexp.MustCompile(`(?s)a.?b.*?c`), regexp.MustCompile(`[^a]\xff?\n`), regexp.MustCompile(`bb\b`), regexp.MustCompile(`a\B(b+)`),
	regexp.MustCompile(`(?m)^b (.*?)c?$`), regexp.MustCompile(`a(b|bc|bcc\n)`), regexp.MustCompile(`a*`), regexp.MustCompile(`c(\w*?)\xff`), regexp.MustCompile(`ab\B`), regexp.MustCompile(`(?:$|bcb|a+)k?`),
	loginMasks[0], loginMasks[1], loginMasks[2],
}

// maskedEverywhere checks that the log of data that come in pieces shows what a
// search of the whole would leave, or asterisks, and those only at the end.
func maskedEverywhere(t *testing.T, data []byte, pieces [][]byte) {
	t.Helper()
	for _, expr := range expressions {
		got, entries := logged(t, pieces, expr)
		last := int64(0) // what comes here may be masked though it is no match
		for _, e := range entries {
			if e.Kind == Out {
				last = e.Offset
			}
		}
		if strings.ContainsAny(expr.String(), "^\\") { // an entry may begin as if there were nothing before it
			last = 0
		}
		want := masked(data, [][][]int{expr.FindAllSubmatchIndex(data, -1)})
		if len(got) != len(want) {
			t.Fatalf("%v in %q: %d bytes shown of %d", expr, pieces, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] && (got[i] != '*' || int64(i) < last) {
				t.Fatalf("%v in %q: got %q, want %q", expr, pieces, got, want)
			}
		}
	}
}

func TestMaskLikeASearchOfTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		var data []byte
		for range r.IntN(30) {
			data = append(data, []string{"a", "b", "c", "é", "A", "B", "C", "k", "\u212a", "\n", " ", "\xff", "\xe2"}[r.IntN(13)]...)
		}
		var pieces [][]byte
		for rest := data; len(rest) > 0; {
			n := min(1+r.IntN(8), len(rest))
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		maskedEverywhere(t, data, pieces)
	}
}

func FuzzMask(f *testing.F) {
	f.Add([]byte(login), uint64(0x8111))
	f.Add([]byte("abcab\xc3\xa9abc\xff\xe2\x82"), uint64(0x5555))
	f.Add([]byte("ABABABAC foo\nbar"), uint64(0x1248))
	f.Fuzz(func(t *testing.T, data []byte, cuts uint64) {
		if len(data) > 1000 {
			return
		}
		var pieces [][]byte
		from := 0
		for i := range min(len(data), 64) {
			if cuts>>i&1 == 1 {
				pieces = append(pieces, data[from:i+1])
				from = i + 1
			}
		}
		maskedEverywhere(t, data, append(pieces, data[from:]))
	})
}
