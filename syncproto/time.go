package syncproto

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Time is an instant on the server's clock: hundredths of a second since
// 1970-01-01 UTC. The zero Time is before anything was ever written.
//
// On the wire it is a JSON number of seconds that always shows its two
// decimals, 1323084512.10, as the first App Sync server printed it. Times of
// one collection strictly increase, so a Time also says "everything up to
// here"; it says nothing about an app's own last_modified, which belongs to the
// clients and is never looked at.
type Time int64

// tick is the distance between two neighbouring Times.
const tick = 10 * time.Millisecond

// maxTime keeps Times far from overflow; it is the year 29,000 or so.
const maxTime = Time(86_400_00 * 366 * 27_000)

// TimeOf returns the last Time that is not after t.
func TimeOf(t time.Time) Time {
	ticks := t.Unix()*100 + int64(t.Nanosecond())/int64(tick)
	return Time(ticks)
}

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time {
	s, cs := int64(t)/100, int64(t)%100
	return time.Unix(s, cs*int64(tick)).UTC()
}

// String returns t in seconds with two decimals, as it appears on the wire.
func (t Time) String() string { return string(t.append(nil)) }

func (t Time) append(b []byte) []byte {
	v := int64(t)
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	b = strconv.AppendInt(b, v/100, 10)
	return append(b, '.', byte('0'+v/10%10), byte('0'+v%10))
}

// MarshalJSON writes t as a JSON number with two decimals.
func (t Time) MarshalJSON() ([]byte, error) { return t.append(nil), nil }

// UnmarshalJSON reads a JSON number of seconds the way [ParseTime] does.
func (t *Time) UnmarshalJSON(b []byte) error {
	v, err := ParseTime(string(b))
	if err != nil {
		return err
	}
	*t = v
	return nil
}

var errTime = errors.New("want a decimal number of seconds such as 1323084512.10")

// ParseTime reads seconds in decimal: a sign, a fraction and an exponent are
// allowed, digits past the second decimal are rounded down, so that a client
// that sends more of them is never made to skip a record. It refuses an empty
// string, NaN, infinities, hexadecimal and underscores.
func ParseTime(s string) (Time, error) {
	if len(s) == 0 || len(s) > 64 {
		return 0, fmt.Errorf("syncproto: time %.64q: %w", s, errTime)
	}
	if t, ok := parsePlain(s); ok {
		return t, nil
	}
	t, err := parseAny(s)
	if err != nil {
		return 0, fmt.Errorf("syncproto: time %q: %w", s, err)
	}
	return t, nil
}

// parsePlain reads digits with at most two decimals: what servers send, and so
// what nearly every client sends back.
func parsePlain(s string) (Time, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if len(whole) == 0 || len(whole) > 12 || len(frac) > 2 || len(s) == len(whole)+1 {
		return 0, false
	}
	var v int64
	for _, part := range [2]string{whole, frac} {
		for i := 0; i < len(part); i++ {
			d := part[i] - '0'
			if d > 9 {
				return 0, false
			}
			v = v*10 + int64(d)
		}
	}
	for i := len(frac); i < 2; i++ {
		v *= 10
	}
	return Time(v), Time(v) <= maxTime
}

// parseAny reads the rest exactly: through a float64, 0.29 would become 28
// hundredths.
func parseAny(s string) (Time, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) {
		return 0, errTime
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errTime
	}
	switch {
	case math.Abs(f) > float64(maxTime)/100:
		return 0, fmt.Errorf("%w within 27,000 years of 1970", errTime)
	case math.Abs(f) < 1e-6: // and so no huge negative exponent reaches big.Rat
		if f < 0 {
			return -1, nil
		}
		return 0, nil
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, errTime
	}
	r.Mul(r, big.NewRat(100, 1))
	q := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean, and so down for a positive divisor
	return Time(q.Int64()), nil
}

// maxAhead is how far behind the last write a clock may be for a writer to
// wait for it. Further back it has been set wrong, now or then, and nobody can
// wait for that.
const maxAhead = time.Second

// NextTime returns the time of a write to a collection whose last write has
// time last, at the moment now. It is for implementations of [Store], which
// call it inside the write transaction.
//
// A wait above zero means that the collection has used up the current tick:
// let go of every lock, wait that long (or until the context ends), look at
// last again and ask again. That keeps a collection at no more than a hundred
// writes a second and its times from running ahead of the clock, where a
// client that says "since now" would skip them. When the clock was set back by
// more than a second there is nothing to wait for, and the times go on from
// last, a tick a write, until the clock has caught up.
func NextTime(last Time, now time.Time) (t Time, wait time.Duration) {
	t = TimeOf(now)
	if t > last {
		return t, 0
	}
	t = last + 1
	if wait = t.Std().Sub(now); wait > maxAhead {
		return t, 0
	}
	return t, wait
}
