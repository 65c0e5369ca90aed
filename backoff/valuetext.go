package backoff

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// MarshalText gives v the shortest form that keeps all of it: bare decimal
// seconds ("20") if v has nothing but an Interval, its JSON object otherwise.
// The bare form is what the original appsync-backoff wrote and reads.
func (v Value) MarshalText() ([]byte, error) {
	if v.equal(Value{Interval: v.Interval}) {
		if err := v.validate(); err != nil {
			return nil, err
		}
		return strconv.AppendInt(nil, int64(ceil(v.Interval)/time.Second), 10), nil
	}
	return v.MarshalJSON()
}

// UnmarshalText reads both forms of MarshalText. White space around the text
// is ignored (memcached pads numbers that it decremented). The error unwraps
// to [ErrCorrupt].
func (v *Value) UnmarshalText(text []byte) error {
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '{' {
		return v.UnmarshalJSON(text)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n > int64(math.MaxInt64/time.Second) {
		return fmt.Errorf("backoff: %s is not a number of seconds: %w", clip(text), ErrCorrupt)
	}
	return v.accept(Value{Interval: time.Duration(n) * time.Second})
}

// accept sets *v to w unless w means nothing.
func (v *Value) accept(w Value) error {
	if err := w.validate(); err != nil {
		return fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	*v = w
	return nil
}

// clip quotes enough of a text to recognise it in an error.
func clip(text []byte) string {
	const most = 40
	if len(text) > most {
		return strconv.Quote(string(text[:most])) + "..."
	}
	return strconv.Quote(string(text))
}

// wire is a Value in JSON. Interval is a number that may have a fraction, for
// people write 0.5 and computers round.
type wire struct {
	Interval    float64    `json:"interval,omitempty"`
	Probability float64    `json:"probability,omitempty"`
	Unavailable float64    `json:"unavailable,omitempty"`
	Until       *time.Time `json:"until,omitempty"`
	Note        string     `json:"note,omitempty"`
}

// MarshalJSON gives the JSON form described at [Value].
func (v Value) MarshalJSON() ([]byte, error) {
	if err := v.validate(); err != nil {
		return nil, err
	}
	w := wire{
		Interval:    v.Interval.Seconds(),
		Probability: v.Probability,
		Unavailable: v.Unavailable,
		Note:        v.Note,
	}
	if !v.Until.IsZero() {
		w.Until = &v.Until
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads the JSON form described at [Value]. Fields that it does
// not know are an error, so that a misspelt one is not a silent default. The
// error unwraps to [ErrCorrupt].
func (v *Value) UnmarshalJSON(data []byte) error {
	var w wire
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return fmt.Errorf("backoff: %s: %s: %w", clip(data), explain(err), ErrCorrupt)
	}
	if rest := bytes.TrimSpace(data[dec.InputOffset():]); len(rest) > 0 {
		return fmt.Errorf("backoff: %s follows the value: %w", clip(rest), ErrCorrupt)
	}
	if !(math.Abs(w.Interval) < math.MaxInt64/float64(time.Second)) {
		return fmt.Errorf("backoff: interval %v is out of range: %w", w.Interval, ErrCorrupt)
	}
	u := Value{
		// Rounding, for 0.1 * 1e9 must not be 99999999.
		Interval:    time.Duration(math.Round(w.Interval * float64(time.Second))),
		Probability: w.Probability,
		Unavailable: w.Unavailable,
		Note:        w.Note,
	}
	if w.Until != nil {
		u.Until = *w.Until
	}
	return v.accept(u)
}

// explain says what the JSON decoder found in words for who wrote the JSON,
// not for who wrote this package.
func explain(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%q cannot be a %s", wrong.Field, wrong.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
