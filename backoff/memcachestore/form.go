package memcachestore

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// A form is how other programs write and read a value.
type form interface {
	// write gives as much of v as the form can say.
	write(v backoff.Value) []byte
	read(text []byte) (backoff.Value, error)
	// flags are those to write, and those that may be read.
	flags() (write, read uint32)
}

// number is the App Sync server's form: seconds.
type number struct{}

func (number) flags() (write, read uint32) {
	return flagInteger, flagInteger | flagLong | flagText
}

func (number) write(v backoff.Value) []byte {
	return strconv.AppendInt(nil, int64(v.Interval/time.Second), 10)
}

func (number) read(text []byte) (v backoff.Value, err error) {
	if bytes.HasPrefix(text, []byte("{")) { // UnmarshalText would take it
		return v, fmt.Errorf("%.40q is not a number of seconds: %w", text, backoff.ErrCorrupt)
	}
	err = v.UnmarshalText(text)
	return v, err
}

// status is the form of the Firefox Sync 1.1 server, a word.
type status struct{}

// statusInterval is what that server made of "backoff" without a number: its
// retry_after setting, which was half an hour unless configured.
const statusInterval = 1800 * time.Second

func (status) flags() (write, read uint32) { return 0, flagText }

func (status) write(v backoff.Value) []byte {
	switch {
	case v.Unavailable < 1 && v.Interval > 0:
		return fmt.Appendf(nil, "backoff:%d", v.Interval/time.Second)
	case v.Unavailable < 1:
		return []byte("ok") // any word it does not know means that
	case v.Note == "draining", v.Note == "unhealthy":
		return []byte(v.Note)
	}
	return []byte("down")
}

func (status) read(text []byte) (backoff.Value, error) {
	word, seconds, counted := strings.Cut(string(text), ":")
	switch {
	case word == "backoff" && counted:
		v, err := number{}.read([]byte(seconds))
		if err != nil {
			return backoff.Value{}, fmt.Errorf("status %.40q: %w", text, err)
		}
		return v, nil
	case counted:
	case word == "backoff":
		return backoff.Value{Interval: statusInterval}, nil
	case word == "down", word == "draining", word == "unhealthy":
		return backoff.Value{Unavailable: 1, Note: word}, nil
	case word == "ok":
		return backoff.Value{}, nil
	}
	return backoff.Value{}, fmt.Errorf("status %.40q is not down, draining, unhealthy, backoff, backoff:SECONDS or ok: %w", text, backoff.ErrCorrupt)
}
