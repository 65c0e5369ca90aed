package memcachestore_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/memcachestore"
	"github.com/brownout-go/brownout/internal/testserver"
)

const key = memcachestore.DefaultKey

// wire speaks memcached's text protocol, as any other client would.
type wire struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) wire {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return wire{t, c, bufio.NewReader(c)}
}

func (w wire) line() string {
	w.t.Helper()
	s, err := w.r.ReadString('\n')
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSuffix(s, "\r\n")
}

func (w wire) set(key string, flags int, value string) {
	w.t.Helper()
	fmt.Fprintf(w, "set %s %d 0 %d\r\n%s\r\n", key, flags, len(value), value)
	if got := w.line(); got != "STORED" {
		w.t.Fatalf("set: %s", got)
	}
}

// get returns "flags value", "" for none.
func (w wire) get(key string) string {
	w.t.Helper()
	fmt.Fprintf(w, "get %s\r\n", key)
	head := w.line()
	if head == "END" {
		return ""
	}
	var flags, size int
	if _, err := fmt.Sscanf(head, "VALUE "+key+" %d %d", &flags, &size); err != nil {
		w.t.Fatalf("%s: %v", head, err)
	}
	data := make([]byte, size+len("\r\nEND\r\n"))
	if _, err := io.ReadFull(w.r, data); err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", flags, data[:size])
}

// left returns the seconds until memcached forgets the key, -1 for never.
func (w wire) left(key string) (seconds int) {
	w.t.Helper()
	fmt.Fprintf(w, "mg %s t\r\n", key)
	if _, err := fmt.Sscanf(w.line(), "HD t%d", &seconds); err != nil {
		w.t.Fatal(err)
	}
	return seconds
}

func TestWhatIsWritten(t *testing.T) {
	m := testserver.Memcached(t)
	s, w := open(t, memcachestore.Config{Addr: m.Addr}), dial(t, m.Addr)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	for _, c := range []struct {
		value        backoff.Value
		plain, extra string
		expires      bool
	}{
		{backoff.Value{Interval: 20 * time.Second}, "2 20", "", false},
		{backoff.Value{}, "2 0", "", false},
		{backoff.Value{Interval: 1500 * time.Millisecond}, "2 2", "", false},
		{backoff.Value{Interval: 20 * time.Second, Note: "ana"}, "2 20", `0 {"interval":20,"note":"ana"}`, false},
		{backoff.Value{Unavailable: 0.5}, "2 0", `0 {"unavailable":0.5}`, false},
		{backoff.Value{Interval: 7 * time.Second, Until: until}, "2 7", `0 {"interval":7,"until":"` + until.Format(time.RFC3339) + `"}`, true},
		{backoff.Value{Interval: 20 * time.Second}, "2 20", "", false},
	} {
		if err := s.Set(t.Context(), c.value); err != nil {
			t.Fatal(err)
		}
		if plain, extra := w.get(key), w.get(key+":extra"); plain != c.plain || extra != c.extra {
			t.Errorf("%v was written as %q and %q, want %q and %q", c.value, plain, extra, c.plain, c.extra)
		}
		if left := w.left(key); (left >= 0) != c.expires || c.expires && (left < 3500 || left > 3605) {
			t.Errorf("%v has %d seconds to live", c.value, left)
		}
	}
	if err := s.Del(t.Context()); err != nil {
		t.Fatal(err)
	}
	if plain, extra := w.get(key), w.get(key+":extra"); plain != "" || extra != "" {
		t.Errorf("after Del there are %q and %q", plain, extra)
	}
}

// The forms are those that pylibmc 1.2 to 1.6 write.
func TestWhatIsRead(t *testing.T) {
	m := testserver.Memcached(t)
	s, w := open(t, memcachestore.Config{Addr: m.Addr}), dial(t, m.Addr)
	for _, c := range []struct {
		name  string
		flags int
		value string
		want  string // seconds, or part of the error
	}{
		{"an int of Python 2", 2, "20", "20"},
		{"an int of Python 3", 4, "20", "20"},
		{"a str", 16, "20", "20"},
		{"bytes", 0, "20", "20"},
		{"what decr leaves", 2, "20 ", "20"},
		{"zero", 2, "0", "0"},
		{"negative, which the original tool accepts", 2, "-5", "key appsync:X-Sync-Poll: backoff: interval -5s is negative"},
		{"a float", 1, "\x80\x02G@\x04\x00\x00\x00\x00\x00\x00.", "flags 1, a Python pickle, which is never read"},
		{"a pickle's flag on a number", 1, "20", "flags 1, a Python pickle"},
		{"a compressed number", 2 | 8, "x\x9c320\x00\x00\x00\x97\x00c", "flags 10, compressed"},
		{"a flag of somebody else", 64, "20", "flags 64, which nothing known writes"},
		{"empty", 2, "", `"" is not a number of seconds`},
		{"a word", 2, "abc", `"abc" is not a number of seconds`},
		{"JSON where the number should be", 0, `{"interval":20}`, "is not a number of seconds"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.set(key, c.flags, c.value)
			v, err := s.Get(t.Context())
			if err == nil {
				if got := fmt.Sprint(v.Seconds()); got != c.want || v != (backoff.Value{Interval: v.Interval}) {
					t.Errorf("read as %v, want %s", v, c.want)
				}
				return
			}
			if !errors.Is(err, backoff.ErrCorrupt) || !strings.Contains(err.Error(), c.want) ||
				!strings.HasPrefix(err.Error(), "memcachestore: get at "+m.Addr+": key ") {
				t.Errorf("error %q (ErrCorrupt: %v), want %q", err, errors.Is(err, backoff.ErrCorrupt), c.want)
			}
		})
	}
}

func TestANumberOverridesTheExtrasOfAnother(t *testing.T) {
	m := testserver.Memcached(t)
	s, w := open(t, memcachestore.Config{Addr: m.Addr}), dial(t, m.Addr)
	if err := s.Set(t.Context(), backoff.Value{Interval: 20 * time.Second, Unavailable: 1, Note: "ana"}); err != nil {
		t.Fatal(err)
	}
	w.set(key, 2, "30") // the original tool
	if v, err := s.Get(t.Context()); err != nil || v != (backoff.Value{Interval: 30 * time.Second}) {
		t.Errorf("got %v, %v", v, err)
	}
	w.set(key, 2, "20")
	w.set(key+":extra", 0, "{")
	if v, err := s.Get(t.Context()); !errors.Is(err, backoff.ErrCorrupt) {
		t.Errorf("extras that are broken: %v, %v", v, err)
	}
}

func TestSeveralServersAgree(t *testing.T) {
	one, other := testserver.Memcached(t), testserver.Memcached(t)
	s := open(t, memcachestore.Config{Addr: one.Addr + "," + other.Addr})
	a, b := dial(t, one.Addr), dial(t, other.Addr)

	// Whichever of them Python's hash chooses is found, and the longest wins.
	b.set(key, 2, "30")
	if v, err := s.Get(t.Context()); err != nil || v.Seconds() != 30 {
		t.Errorf("on the second only: %v, %v", v, err)
	}
	a.set(key, 2, "40")
	if v, err := s.Get(t.Context()); err != nil || v.Seconds() != 40 {
		t.Errorf("on both: %v, %v", v, err)
	}
	a.set(key, 1, "pickle")
	if v, err := s.Get(t.Context()); err != nil || v.Seconds() != 30 {
		t.Errorf("one corrupt: %v, %v", v, err)
	}
	if err := s.Set(t.Context(), backoff.Value{Interval: 50 * time.Second}); err != nil || a.get(key) != "2 50" || b.get(key) != "2 50" {
		t.Errorf("Set: %v, wrote %q and %q", err, a.get(key), b.get(key))
	}
	if err := s.Del(t.Context()); err != nil || a.get(key) != "" || b.get(key) != "" {
		t.Errorf("Del: %v, left %q and %q", err, a.get(key), b.get(key))
	}

	one.Kill()
	b.set(key, 2, "60")
	if v, err := s.Get(t.Context()); err != nil || v.Seconds() != 60 {
		t.Errorf("first down, second holds a value: %v, %v", v, err)
	}
	b.set(key, 1, "pickle")
	if v, err := s.Get(t.Context()); err == nil || errors.Is(err, backoff.ErrCorrupt) || errors.Is(err, backoff.ErrNotSet) {
		t.Errorf("first down, second corrupt: %v, %v, want the first's error alone", v, err)
	}
	if err := s.Set(t.Context(), backoff.Value{Interval: 70 * time.Second}); err == nil || !strings.Contains(err.Error(), one.Addr) || b.get(key) != "2 70" {
		t.Errorf("Set with the first down: %v, wrote %q", err, b.get(key))
	}
}

func TestTheOldSyncServersWords(t *testing.T) {
	m := testserver.Memcached(t)
	const key = "status:web1"
	s, w := open(t, memcachestore.Config{Addr: m.Addr, Key: key, Status: true}), dial(t, m.Addr)
	for text, want := range map[string]string{
		"down":        "100% of requests refused (down)",
		"draining":    "100% of requests refused (draining)",
		"unhealthy":   "100% of requests refused (unhealthy)",
		"backoff":     "30m0s",
		"backoff:45":  "45s",
		"ok":          "no backoff",
		"backoff:":    `memcachestore: get at ADDR: key status:web1: status "backoff:": backoff: "" is not a number of seconds: corrupt value`,
		"backoff:-1":  `memcachestore: get at ADDR: key status:web1: status "backoff:-1": backoff: interval -1s is negative: invalid value: corrupt value`,
		"downwards":   `memcachestore: get at ADDR: key status:web1: status "downwards" is not down, draining, unhealthy, backoff, backoff:SECONDS or ok: corrupt value`,
		"down:please": `memcachestore: get at ADDR: key status:web1: status "down:please" is not down, draining, unhealthy, backoff, backoff:SECONDS or ok: corrupt value`,
	} {
		for _, flags := range []int{0, 16} {
			w.set(key, flags, text)
			v, err := s.Get(t.Context())
			got := v.String()
			if err != nil {
				got = strings.ReplaceAll(err.Error(), m.Addr, "ADDR")
			}
			if got != want {
				t.Errorf("%q: %s\nwant %s", text, got, want)
			}
		}
	}
	for want, v := range map[string]backoff.Value{
		"0 down":       {Unavailable: 1, Note: "ana"},
		"0 draining":   {Unavailable: 1, Note: "draining"},
		"0 backoff:45": {Interval: 45 * time.Second, Unavailable: 0.5},
		"0 ok":         {Unavailable: 0.5},
	} {
		if err := s.Set(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if got := w.get(key); got != want {
			t.Errorf("%v was written as %q, want %q", v, got, want)
		}
		if got, err := s.Get(t.Context()); err != nil || got != v {
			t.Errorf("%v came back as %v, %v", v, got, err)
		}
	}
}
