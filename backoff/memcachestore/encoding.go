package memcachestore

import (
	"bytes"
	"fmt"
	"math"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/brownout-go/brownout/backoff"
)

// extraSuffix makes the key of what other programs' form cannot say.
const extraSuffix = ":extra"

// Flags of pylibmc, which the original tools used: they say what Python type
// the bytes stand for.
const (
	flagPickle  = 1
	flagInteger = 2 // int of Python 2
	flagLong    = 4 // int of Python 3
	flagZlib    = 8
	flagText    = 16 // str; bool in old versions
)

// items is a value as memcached holds it.
type items struct {
	plain *memcache.Item
	extra *memcache.Item // nil if plain says all
}

func encode(key string, f form, v backoff.Value, now time.Time) (items, error) {
	if err := v.ValidateAt(now); err != nil {
		return items{}, err
	}
	// Whole seconds in both items, or decode would not see that they belong
	// together.
	v.Interval = whole(v.Interval)
	flags, _ := f.flags()
	plain := &memcache.Item{Key: key, Value: f.write(v), Flags: flags, Expiration: expiration(v.Until, now)}
	if said, err := f.read(plain.Value); err == nil && said == v {
		return items{plain: plain}, nil
	}
	text, err := v.MarshalJSON()
	if err != nil {
		return items{}, err
	}
	extra := &memcache.Item{Key: key + extraSuffix, Value: text, Expiration: plain.Expiration}
	return items{plain: plain, extra: extra}, nil
}

// whole rounds up to whole seconds.
func whole(d time.Duration) time.Duration {
	if over := d % time.Second; over > 0 {
		d += min(time.Second-over, math.MaxInt64-d)
	}
	return d
}

// expiration makes memcached forget a value for the tools that know no Until,
// a little after it, so that what knows Until does not lose the value early.
func expiration(until, now time.Time) int32 {
	const month = 30 * 24 * time.Hour // longer ones memcached takes for Unix times
	switch left := until.Sub(now); {
	case until.IsZero():
		return 0
	case left < month-time.Minute:
		return int32(left/time.Second) + 2
	default:
		return int32(min(until.Unix()+2, math.MaxInt32))
	}
}

// decode reads what the two keys hold; nil is a key that holds nothing.
func decode(f form, plain, extra *memcache.Item, now time.Time) (backoff.Value, error) {
	if plain == nil {
		return backoff.Value{}, backoff.ErrNotSet
	}
	text := bytes.TrimSpace(plain.Value) // memcached pads what it decrements
	v, err := decodePlain(f, plain, text)
	if err != nil || extra == nil {
		return v, err
	}
	var w backoff.Value
	if err := w.UnmarshalJSON(extra.Value); err != nil {
		return backoff.Value{}, fmt.Errorf("key %s: %w", extra.Key, err)
	}
	w.Interval = whole(w.Interval)
	if !bytes.Equal(f.write(w), text) {
		return v, nil // a tool that knows only the form has set another one
	}
	if w.ExpiredAt(now) {
		return backoff.Value{}, backoff.ErrNotSet
	}
	return w, nil
}

func decodePlain(f form, item *memcache.Item, text []byte) (v backoff.Value, err error) {
	_, readable := f.flags()
	switch {
	case item.Flags&flagPickle != 0:
		// Unpickling runs what whoever can write to memcached wants run.
		err = fmt.Errorf("flags %d, a Python pickle, which is never read: set it again: %w", item.Flags, backoff.ErrCorrupt)
	case item.Flags&flagZlib != 0:
		err = fmt.Errorf("flags %d, compressed, which no value is long enough for: %w", item.Flags, backoff.ErrCorrupt)
	case item.Flags&^readable != 0:
		err = fmt.Errorf("flags %d, which nothing known writes: %w", item.Flags, backoff.ErrCorrupt)
	default:
		v, err = f.read(text)
	}
	if err != nil {
		return backoff.Value{}, fmt.Errorf("key %s: %w", item.Key, err)
	}
	return v, nil
}
