package transcript

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

func TestBounds(t *testing.T) {
	for _, c := range []struct {
		log   *Log
		sizes []int // of writes
		want  []int // bytes shown
	}{
		{&Log{}, []int{3000, 10}, []int{1024, 10}},
		{&Log{PerEntry: 10, PerConn: 15}, []int{100, 100, 100}, []int{10, 5, 0}},
		{&Log{PerEntry: -1, PerConn: -1}, []int{100_000}, []int{100_000}},
		{&Log{PerEntry: -5}, []int{60_000, 60_000}, []int{60_000, 5536}},
	} {
		var got []int
		var text bytes.Buffer
		write := Text(&text)
		c.log.OnEntry = func(e Entry) {
			if e.Kind == Out {
				got = append(got, len(e.Data))
				write(e)
			}
		}
		a, b := memnet.Pipe()
		go io.Copy(io.Discard, b)
		w := c.log.Conn("x", a)
		hidden := 0
		for i, n := range c.sizes {
			if _, err := w.Write(bytes.Repeat([]byte("y"), n)); err != nil {
				t.Fatal(err)
			}
			hidden += n - c.want[i]
		}
		w.Close()
		b.Close()
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("writes of %v: shown %v, want %v", c.sizes, got, c.want)
		}
		if (hidden > 0) != strings.Contains(text.String(), "bytes not shown") {
			t.Errorf("%d bytes are hidden: %q", hidden, text.String())
		}
	}
}

// Redact sees what the limits would cut, so that no half of a secret is shown.
func TestRedactBeforeCut(t *testing.T) {
	var got []Entry
	log := Log{PerEntry: 12, OnEntry: func(e Entry) { got = append(got, e) }, Redact: func(point string, data []byte) []byte {
		if point != "db" {
			t.Errorf("point %q", point)
		}
		return bytes.ReplaceAll(data, []byte("password"), []byte("********"))
	}}
	a, b := memnet.Pipe()
	defer b.Close()
	c := log.Conn("db", a)
	sent := []byte("login password end")
	c.Write(sent)
	c.Close()
	if string(got[1].Data) != "login ******" || got[1].Size != len(sent) {
		t.Errorf("%q of %d", got[1].Data, got[1].Size)
	}
	if string(sent) != "login password end" {
		t.Errorf("the data themselves are now %q", sent)
	}
}

func TestErrors(t *testing.T) {
	var got []Entry
	log := Log{OnEntry: func(e Entry) { got = append(got, e) }}
	a, b := memnet.Pipe()
	c := log.Conn("x", a)
	c.SetReadDeadline(time.Now().Add(-1))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Time{})
	b.SetLinger(0)
	b.Close()
	if _, err := c.Write([]byte("hello")); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	c.Close()
	var kinds []Kind
	for _, e := range got {
		kinds = append(kinds, e.Kind)
	}
	if !reflect.DeepEqual(kinds, []Kind{Open, Error, Out, Error, Close}) {
		t.Fatalf("%v", kinds)
	}
	if !errors.Is(got[1].Err, os.ErrDeadlineExceeded) || !errors.Is(got[3].Err, syscall.ECONNRESET) || got[4].Written != 0 {
		t.Errorf("%+v", got)
	}
}

func TestJSON(t *testing.T) {
	when := time.Date(2010, 5, 1, 12, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	write := JSON(&b)
	for _, e := range []Entry{
		{Time: when, Point: "db", Conn: 1, Kind: Out, Data: []byte("héllo\n"), Size: 7},
		{Time: when, Point: "db", Conn: 1, Kind: In, Data: []byte{0xff, 0}, Size: 2, Offset: 9},
		{Time: when, Point: "db", Conn: 1, Kind: Error, Err: io.ErrUnexpectedEOF},
		{Time: when, Point: "db", Conn: 1, Kind: Fault, Event: faultconn.Event{Rule: "r", Kind: "delay", Op: faultconn.OpRead, Delay: time.Second, Seed: 7}},
		{Time: when, Point: "db", Conn: 1, Kind: Close, Peer: "a:1", Open: 1500 * time.Millisecond, Written: 3},
	} {
		write(e)
	}
	want := `{"time":"2010-05-01T12:00:00Z","point":"db","conn":1,"kind":"out","offset":0,"size":7,"text":"héllo\n"}
{"time":"2010-05-01T12:00:00Z","point":"db","conn":1,"kind":"in","offset":9,"size":2,"hex":"ff00"}
{"time":"2010-05-01T12:00:00Z","point":"db","conn":1,"kind":"error","error":"unexpected EOF"}
{"time":"2010-05-01T12:00:00Z","point":"db","conn":1,"kind":"fault","fault":{"rule":"r","kind":"delay","op":"read","offset":0,"delay":1,"seed":7}}
{"time":"2010-05-01T12:00:00Z","point":"db","conn":1,"kind":"close","peer":"a:1","open":1.5,"written":3}
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// What the wrapped connection offers the wrapper does, and no more.
func TestOffers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tcp, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	mem, other := memnet.Pipe()
	defer other.Close()
	plain, peer := net.Pipe()
	defer peer.Close()
	for _, c := range []net.Conn{tcp, mem, plain} {
		w := new(Log).Conn("x", c)
		defer w.Close()
		for _, offer := range []reflect.Type{
			reflect.TypeFor[interface{ CloseWrite() error }](), reflect.TypeFor[interface{ CloseRead() error }](),
			reflect.TypeFor[interface{ SetLinger(int) error }](), reflect.TypeFor[io.ReaderFrom](), reflect.TypeFor[io.WriterTo](),
			reflect.TypeFor[syscall.Conn](), reflect.TypeFor[interface{ SetNoDelay(bool) error }](), reflect.TypeFor[interface{ NetConn() net.Conn }](),
		} {
			if inner, outer := reflect.TypeOf(c).Implements(offer), reflect.TypeOf(w).Implements(offer); inner != outer {
				t.Errorf("%T offers %v: %v, its wrapper: %v", c, offer, inner, outer)
			}
		}
	}
}

func TestReadFromIsSeen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var sent int
	log := Log{OnEntry: func(e Entry) {
		if e.Kind == Out {
			sent += e.Size
		}
	}}
	c, err := log.Dialer("x", nil)(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := io.Copy(c, strings.NewReader(strings.Repeat("z", 1000))); n != 1000 || err != nil {
		t.Fatal(n, err)
	}
	if sent != 1000 {
		t.Errorf("%d bytes on the log, want 1000", sent)
	}
}

func TestRecent(t *testing.T) {
	r := &Recent{Max: 3}
	for i := range 5 {
		r.Add(Entry{Conn: i + 1, Kind: EndIn, Point: "p"})
	}
	entries, dropped := r.Entries()
	if len(entries) != 3 || entries[0].Conn != 3 || entries[2].Conn != 5 || dropped != 2 {
		t.Errorf("%+v, %d", entries, dropped)
	}
	if got := strings.Count(r.String(), "\n"); got != 3 {
		t.Errorf("%d lines", got)
	}
}

// Whatever the data, they are all there, in printable lines.
func FuzzText(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("\x00\x01h\xc3\xa9"))
	f.Add([]byte("\xa9llo \xe2\x82"))
	f.Add([]byte("\x1b[31mred"))
	f.Fuzz(func(t *testing.T, data []byte) {
		e := Entry{Kind: In, Point: "p", Data: data, Size: len(data)}
		if strings.ContainsAny(string(e.AppendText(nil)), "\x00\x1b\x07\r") {
			t.Errorf("%q is shown with control characters", data)
		}
		b, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ Text, Hex string }
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		back := []byte(v.Text)
		if v.Hex != "" {
			if back, err = hex.DecodeString(v.Hex); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(back, data) {
			t.Errorf("%q comes back as %q", data, back)
		}
	})
}
