package backoff_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

func TestValueText(t *testing.T) {
	until := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		value backoff.Value
		want  string
	}{
		{backoff.Value{}, "0"},
		{backoff.Value{Interval: 20 * time.Second}, "20"},
		{backoff.Value{Interval: 1500 * time.Millisecond}, "2"},
		{backoff.Value{Interval: 1500 * time.Millisecond, Note: "x"}, `{"interval":1.5,"note":"x"}`},
		{backoff.Value{Unavailable: 1, Until: until}, `{"unavailable":1,"until":"2026-01-02T03:04:05Z"}`},
	} {
		text, err := c.value.MarshalText()
		if err != nil || string(text) != c.want {
			t.Errorf("%v: %s, %v, want %s", c.value, text, err, c.want)
		}
	}
	if text, err := (backoff.Value{Interval: -1}).MarshalText(); err == nil {
		t.Errorf("a negative interval was written as %s", text)
	}
}

func TestValueTextRefusesWhatItCannotUnderstand(t *testing.T) {
	for text, want := range map[string]string{
		"":                      `backoff: "" is not a number of seconds: corrupt value`,
		"abc":                   `backoff: "abc" is not a number of seconds: corrupt value`,
		"2.5":                   `backoff: "2.5" is not a number of seconds: corrupt value`,
		"-5":                    "backoff: interval -5s is negative: invalid value: corrupt value",
		"9223372036854775807":   `backoff: "9223372036854775807" is not a number of seconds: corrupt value`,
		"\x80\x02K\x14.":        `backoff: "\x80\x02K\x14." is not a number of seconds: corrupt value`,
		`{"intervall":20}`:      `backoff: "{\"intervall\":20}": unknown field "intervall": corrupt value`,
		`{"interval":20} 30`:    `backoff: "30" follows the value: corrupt value`,
		`{"interval":1e300}`:    "backoff: interval 1e+300 is out of range: corrupt value",
		`{"probability":2}`:     "backoff: probability 2 is not within 0 to 1: invalid value: corrupt value",
		`{"interval":"20"}`:     `backoff: "{\"interval\":\"20\"}": "interval" cannot be a string: corrupt value`,
		`{"interval":20`:        `backoff: "{\"interval\":20": unexpected EOF: corrupt value`,
		"{\"note\":\"\xff\"} x": `backoff: "x" follows the value: corrupt value`,
	} {
		v := backoff.Value{Note: "before"}
		err := v.UnmarshalText([]byte(text))
		if err == nil || err.Error() != want || !errors.Is(err, backoff.ErrCorrupt) {
			t.Errorf("%q: error %v\nwant %s", text, err, want)
		}
		if v.Note != "before" {
			t.Errorf("%q: the value was changed to %v", text, v)
		}
	}
}

func TestValueInJSON(t *testing.T) {
	type config struct{ Backoff backoff.Value }
	before := config{backoff.Value{Interval: 100 * time.Millisecond, Probability: 0.25, Note: "a"}}
	data, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	var after config
	if err := json.Unmarshal(data, &after); err != nil || after != before {
		t.Errorf("%s came back as %+v, %v", data, after, err)
	}
}

func FuzzValueText(f *testing.F) {
	for _, s := range []string{"20", " 20 ", "-1", "{}", `{"interval":0.1,"until":"2026-01-02T03:04:05Z"}`, `{"note":"x"}`, "down"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var v backoff.Value
		if err := v.UnmarshalText(text); err != nil {
			if !errors.Is(err, backoff.ErrCorrupt) {
				t.Fatalf("error is not ErrCorrupt: %v", err)
			}
			return
		}
		again, err := v.MarshalText()
		if err != nil {
			t.Fatalf("%+v was read but cannot be written: %v", v, err)
		}
		var w backoff.Value
		if err := w.UnmarshalText(again); err != nil {
			t.Fatalf("%s was written but cannot be read: %v", again, err)
		}
		// Bare decimals round up; what they gave stays as it is.
		if v.Interval%time.Second == 0 && v.String() != w.String() {
			t.Fatalf("%s: %v came back as %v", again, v, w)
		}
	})
}
