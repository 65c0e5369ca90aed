package syncproto

import (
	"encoding/json"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Time
	}{
		{"0", 0},
		{"0.00", 0},
		{"1323084512.10", 132308451210},
		{"1323084512.1", 132308451210},
		{"1323084512", 132308451200},
		{"0.29", 29},
		{"1.15", 115},
		{"1.999", 199},
		{"1.9949999999999999999999999", 199},
		{"-1", -100},
		{"-0.001", -1},
		{"-1e-9", -1},
		{"1e-999999999", 0},
		{"1.3230845121e9", 132308451210},
		{"+5", 500},
		{".5", 50},
		{"5.", 500},
		{"0000000000000007", 700},
	} {
		got, err := ParseTime(c.in)
		if err != nil || got != c.want {
			t.Errorf("ParseTime(%q) = %d, %v; want %d", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", " 1", "1 ", "NaN", "nan", "Inf", "-Infinity", "0x10", "0x1p4", "1_000", "abc", "1.2.3", "1e", "--1", "null",
		"1e20", "1e999999999", "-1e30", "١", `"1"`, "1/2",
	} {
		if got, err := ParseTime(in); err == nil {
			t.Errorf("ParseTime(%q) = %v, want an error", in, got)
		}
	}
}

func TestTimeJSON(t *testing.T) {
	for _, c := range []struct {
		t    Time
		want string
	}{{0, "0.00"}, {1, "0.01"}, {132308451210, "1323084512.10"}, {-1, "-0.01"}, {-250, "-2.50"}} {
		b, err := json.Marshal(c.t)
		if err != nil || string(b) != c.want {
			t.Errorf("%d marshals to %s, %v; want %s", int64(c.t), b, err, c.want)
		}
		var back Time
		if err := json.Unmarshal(b, &back); err != nil || back != c.t {
			t.Errorf("%s unmarshals to %d, %v; want %d", b, int64(back), err, int64(c.t))
		}
	}
}

func TestTimeOf(t *testing.T) {
	at := time.Date(2011, 12, 5, 11, 28, 32, 109_999_999, time.UTC)
	if got, want := TimeOf(at), Time(132308451210); got != want {
		t.Errorf("TimeOf(%v) = %v, want %v: never after the clock", at, got, want)
	}
	if got := TimeOf(at).Std(); !got.Equal(at.Truncate(tick)) {
		t.Errorf("and back: %v", got)
	}
	if got := TimeOf(time.Unix(-1, 5)).Std(); !got.Equal(time.Unix(-1, 0)) {
		t.Errorf("before 1970: %v, want a second before", got)
	}
}

func TestNextTime(t *testing.T) {
	now := time.Unix(1000, int64(23*time.Millisecond)) // Time 100002
	for _, c := range []struct {
		name string
		last Time
		want Time
		wait time.Duration
	}{
		{"first write", 0, 100002, 0},
		{"some time ago", 100001, 100002, 0},
		{"in this tick", 100002, 100003, 7 * time.Millisecond},
		{"ahead by a tick", 100003, 100004, 17 * time.Millisecond},
		{"ahead by less than a second", 100101, 100102, 997 * time.Millisecond},
		{"clock set back", 100102, 100103, 0},
		{"clock set back by a year", 100002 + 365*86400*100, 100003 + 365*86400*100, 0},
	} {
		got, wait := NextTime(c.last, now)
		if got != c.want || wait != c.wait {
			t.Errorf("%s: NextTime(%d) = %d, %v; want %d, %v", c.name, c.last, got, wait, c.want, c.wait)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"0", "1323084512.10", "-1.5", "1e9", "1e-400", "NaN", "", "0.29", "9999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseTime(s)
		if err != nil {
			return
		}
		back, err := ParseTime(v.String())
		if err != nil || back != v {
			t.Fatalf("ParseTime(%q) = %v, which parses as %v, %v", s, v, back, err)
		}
	})
}
