package backoff

import (
	"math/rand/v2"
	"time"
)

const (
	// maxOrigins bounds what a crawler's transport keeps.
	maxOrigins = 1000

	// probeTime is how long the requests that have waited let the first of them
	// be alone: it may be a long poll.
	probeTime = 2 * time.Second

	// clientJitter is Transport.Jitter's default: what Firefox Sync adds.
	clientJitter = 0.25
)

// origin is what a Transport knows of one. Guarded by the Transport's mu.
type origin struct {
	hard, soft time.Time // not before these; zero for never told

	// While the first request after a hard hold is on its way: until when the
	// others let it be alone, and what is closed when it is answered.
	alone  time.Time
	answer chan struct{}
}

func (o *origin) until(deferrable bool) (until time.Time, soft bool) {
	if deferrable && o.soft.After(o.hard) {
		return o.soft, true
	}
	return o.hard, false
}

// extend makes a hold longer, never shorter. It reports whether it did.
func (o *origin) extend(until time.Time, soft bool) bool {
	t := &o.hard
	if soft {
		t = &o.soft
	}
	if !until.After(*t) {
		return false
	}
	*t = until
	return true
}

// next says whether a request may be sent now: then done is not nil, and must
// be called when it was answered. Otherwise it must ask again when the hold
// ends or wait is closed.
func (t *Transport) next(key string, deferrable bool) (h Hold, wait <-chan struct{}, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.origins[key]
	if o == nil || t.Mode == HintOnly {
		return Hold{}, nil, func() {}
	}
	now := time.Now()
	until, soft := o.until(deferrable)
	if until.After(now) {
		return Hold{Origin: key, NotBefore: until, Soft: soft}, nil, nil
	}
	if o.hard.IsZero() || t.Mode != Wait {
		return Hold{}, nil, func() {}
	}
	// A hard hold has passed, no answer says yet that it is over, and a crowd
	// may have waited for this moment.
	if o.answer != nil && o.alone.After(now) {
		return Hold{Origin: key, NotBefore: o.alone}, o.answer, nil
	}
	if o.answer != nil { // the first one is slow: let everyone follow
		return Hold{}, nil, func() {}
	}
	held, answer := o.hard, make(chan struct{})
	o.alone, o.answer = now.Add(probeTime), answer
	return Hold{}, nil, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if o.hard.Equal(held) { // not refused again
			o.hard = time.Time{}
		}
		o.answer = nil
		close(answer)
	}
}

// origin returns what is known of one, making room for it if it is new.
func (t *Transport) origin(key string, now time.Time) *origin {
	if o := t.origins[key]; o != nil {
		return o
	}
	if t.origins == nil {
		t.origins = map[string]*origin{}
	}
	if len(t.origins) >= maxOrigins {
		t.makeRoom(now)
	}
	o := new(origin)
	t.origins[key] = o
	return o
}

// makeRoom forgets the origins that hold nothing back any more, or else the
// one that does for the shortest time.
func (t *Transport) makeRoom(now time.Time) {
	var first string
	var earliest time.Time
	for key, o := range t.origins {
		until, _ := o.until(true)
		if !until.After(now) {
			delete(t.origins, key)
		} else if first == "" || until.Before(earliest) {
			first, earliest = key, until
		}
	}
	if len(t.origins) >= maxOrigins {
		delete(t.origins, first)
	}
}

func (t *Transport) stretch() float64 {
	switch j := t.Jitter; {
	case j < 0:
		return 1
	case j == 0:
		return 1 + clientJitter*rand.Float64()
	default:
		return 1 + j*rand.Float64()
	}
}
