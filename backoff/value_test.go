package backoff_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

func TestSecondsRoundUpAndAreBounded(t *testing.T) {
	for d, want := range map[time.Duration]int64{
		-time.Second:             0,
		0:                        0,
		1:                        1,
		time.Second:              1,
		time.Second + 1:          2,
		20 * time.Second:         20,
		48 * time.Hour:           172800,
		48*time.Hour + 1:         172800,
		time.Duration(1<<63 - 1): 172800,
	} {
		if got := (backoff.Value{Interval: d}).Seconds(); got != want {
			t.Errorf("Seconds of %v = %d, want %d", d, got, want)
		}
	}
}

func TestValidateAtNamesTheField(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		value backoff.Value
		want  string // "" is valid
	}{
		{backoff.Value{}, ""},
		{backoff.Value{Interval: 72 * time.Hour, Probability: 1, Unavailable: 1, Until: now.Add(1)}, ""},
		{backoff.Value{Interval: -1}, "backoff: interval -1ns is negative: invalid value"},
		{backoff.Value{Probability: 1.5}, "backoff: probability 1.5 is not within 0 to 1: invalid value"},
		{backoff.Value{Probability: math.NaN()}, "backoff: probability NaN is not within 0 to 1: invalid value"},
		{backoff.Value{Unavailable: -0.1}, "backoff: unavailable -0.1 is not within 0 to 1: invalid value"},
		{backoff.Value{Until: now}, "backoff: until 2026-01-02T03:04:05Z has passed: invalid value"},
	} {
		err := c.value.ValidateAt(now)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%+v: %v", c.value, err)
		case c.want != "" && (err == nil || err.Error() != c.want || !errors.Is(err, backoff.ErrInvalid)):
			t.Errorf("%+v: error %q, want %q that is ErrInvalid", c.value, err, c.want)
		}
	}
}

func TestMaxKeepsWhatBelongsToTheLongestInterval(t *testing.T) {
	constant := func(v backoff.Value) func() backoff.Value { return func() backoff.Value { return v } }
	half := backoff.Value{Interval: 10, Probability: 0.5, Note: "half"}
	all := backoff.Value{Interval: 20, Note: "all"}
	shed := backoff.Value{Unavailable: 0.3, Note: "shed"}
	for _, c := range []struct {
		of   []func() backoff.Value
		want backoff.Value
	}{
		{nil, backoff.Value{}},
		{[]func() backoff.Value{nil, constant(half), nil}, half},
		{[]func() backoff.Value{constant(half), constant(all)}, all},
		{[]func() backoff.Value{constant(all), constant(half)}, all},
		{[]func() backoff.Value{constant(shed), constant(half)}, backoff.Value{Interval: 10, Probability: 0.5, Unavailable: 0.3, Note: "half"}},
		{[]func() backoff.Value{constant(half), constant(shed)}, backoff.Value{Interval: 10, Probability: 0.5, Unavailable: 0.3, Note: "half"}},
	} {
		if got := backoff.Max(c.of...)(); got != c.want {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func TestValueString(t *testing.T) {
	v := backoff.Value{
		Interval: 20 * time.Second, Probability: 0.5, Unavailable: 0.125,
		Until: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Note: "db",
	}
	const want = "20s for 50% of responses, 12.5% of requests refused, until 2026-01-02T03:04:05Z (db)"
	if got := v.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (backoff.Value{}).String(); got != "no backoff" {
		t.Errorf("zero value: %s", got)
	}
}
