package backoff

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// MaxInterval is the longest interval that clients are known to obey: two
// days, beyond which the original App Sync client ignores the header. A
// [Policy] sends no more than this, whatever the store says.
const MaxInterval = 48 * time.Hour

// A Value is what the service asks of its clients. The zero Value asks
// nothing.
//
// In JSON its durations are seconds, its time is RFC 3339, and fields that are
// zero are left out: {"interval":20,"probability":0.5,"note":"db is slow"}.
type Value struct {
	// Interval is how long clients should wait before their next request, sent
	// as integer seconds, rounded up. 0 asks for nothing.
	Interval time.Duration

	// Probability is the share of responses, 0 to 1, that carry Interval. 0
	// means all of them, as 1 does: to ask nothing of anyone, set no Interval.
	Probability float64

	// Unavailable is the share of requests, 0 to 1, that is refused with a 503
	// before the handler sees it. 0 refuses none, 1 all.
	Unavailable float64

	// Until is when the value stops being in force. The zero time is never.
	Until time.Time

	// Note says who set the value and why. It is for people: it shows in
	// events and in `appsync-backoff get -json`, and is never sent to clients.
	Note string
}

// IsZero reports whether v asks nothing of clients: no Interval and no
// Unavailable.
func (v Value) IsZero() bool { return v.Interval <= 0 && v.Unavailable <= 0 }

// Seconds is Interval in whole seconds, rounded up, at most [MaxInterval]: the
// number the headers carry. It is 0 if Interval is not positive.
func (v Value) Seconds() int64 {
	return int64(ceil(min(max(v.Interval, 0), MaxInterval)) / time.Second)
}

// ceil rounds up to whole seconds, as far as a Duration goes.
func ceil(d time.Duration) time.Duration {
	over := d % time.Second
	if over > 0 && d <= math.MaxInt64-time.Second {
		return d - over + time.Second
	}
	return d - over
}

// ExpiredAt reports whether v has an Until that is not after t.
func (v Value) ExpiredAt(t time.Time) bool {
	return !v.Until.IsZero() && !v.Until.After(t)
}

// ValidateAt returns nil if v can be put in force at t: Interval is not
// negative, the shares are within 0 to 1, and Until has not passed. The error
// says which field is wrong and unwraps to [ErrInvalid]. A [Store]'s Set calls
// it with the present time.
func (v Value) ValidateAt(t time.Time) error {
	if err := v.validate(); err != nil {
		return err
	}
	if v.ExpiredAt(t) {
		return fmt.Errorf("backoff: until %s has passed: %w", v.Until.Format(time.RFC3339), ErrInvalid)
	}
	return nil
}

func (v Value) validate() error {
	switch {
	case v.Interval < 0:
		return fmt.Errorf("backoff: interval %v is negative: %w", v.Interval, ErrInvalid)
	case !share(v.Probability):
		return fmt.Errorf("backoff: probability %v is not within 0 to 1: %w", v.Probability, ErrInvalid)
	case !share(v.Unavailable):
		return fmt.Errorf("backoff: unavailable %v is not within 0 to 1: %w", v.Unavailable, ErrInvalid)
	}
	return nil
}

func share(f float64) bool { return f >= 0 && f <= 1 } // false for NaN

// String describes v in a line for people: "20s for 50% of responses, until
// 2026-01-02T15:04:05Z (db is slow)".
func (v Value) String() string {
	var parts []string
	if v.Interval > 0 {
		s := v.Interval.String()
		if v.Probability > 0 && v.Probability < 1 {
			s += fmt.Sprintf(" for %.3g%% of responses", v.Probability*100)
		}
		parts = append(parts, s)
	}
	if v.Unavailable > 0 {
		parts = append(parts, fmt.Sprintf("%.3g%% of requests refused", v.Unavailable*100))
	}
	if len(parts) == 0 {
		parts = append(parts, "no backoff")
	}
	if !v.Until.IsZero() {
		parts = append(parts, "until "+v.Until.Format(time.RFC3339))
	}
	s := strings.Join(parts, ", ")
	if v.Note != "" {
		s += " (" + v.Note + ")"
	}
	return s
}

// equal is == for values; times are compared as instants.
func (v Value) equal(w Value) bool {
	until := v.Until.Equal(w.Until)
	v.Until, w.Until = time.Time{}, time.Time{}
	return until && v == w
}

// Max combines opinions about the value in force: the operator's, one computed
// from load, a fixed floor. The result asks for the longest Interval of them
// all (with the Probability, Until and Note that belong to it) and for the
// largest Unavailable. Each function is called once per call of the result and
// must be as fast as the result is expected to be: see [Policy].Current. Nil
// functions are skipped.
func Max(current ...func() Value) func() Value {
	return func() Value {
		var most Value
		for _, f := range current {
			if f == nil {
				continue
			}
			v := f()
			unavailable := max(most.Unavailable, v.Unavailable)
			if v.Interval > most.Interval || most.IsZero() {
				most = v
			}
			most.Unavailable = unavailable
		}
		return most
	}
}
