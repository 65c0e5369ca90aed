package memnet

import (
	"sync"
	"time"
)

// A deadline is a flag that a timer sets, as in the runtime's poller: looking
// at it costs no clock reading. All of it is guarded by the mutex given to
// set.
type deadline struct {
	expired bool
	at      time.Time // pending; zero if none
	timer   *time.Timer
}

// set moves the deadline to t; zero clears it. wake is called, with mu held,
// when the deadline passes. mu and wake must be the same at every call.
func (d *deadline) set(mu *sync.Mutex, wake func(), t time.Time) {
	d.expired = false
	d.at = time.Time{}
	if t.IsZero() {
		d.stop()
		return
	}
	now := time.Now()
	left := t.Sub(now)
	if left <= 0 {
		d.stop()
		d.expired = true
		wake()
		return
	}
	// Not t itself: a time without a monotonic reading could still be ahead of
	// time.Now when the timer fires, which would then be taken for a stale one.
	d.at = now.Add(left)
	if d.timer != nil {
		d.timer.Reset(left)
		return
	}
	d.timer = time.AfterFunc(left, func() {
		mu.Lock()
		defer mu.Unlock()
		if d.at.IsZero() || time.Now().Before(d.at) {
			return // moved while this call was on its way
		}
		d.at = time.Time{}
		d.expired = true
		wake()
	})
}

func (d *deadline) stop() {
	d.at = time.Time{}
	if d.timer != nil {
		d.timer.Stop()
	}
}
