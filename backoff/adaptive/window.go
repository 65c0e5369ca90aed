package adaptive

import "time"

// window counts over the last n slots of time.
type window struct {
	slot   time.Duration
	counts []float64 // a ring
	start  time.Time // when it was first used: a wall clock that is set must not move the slots
	at     int64     // the slot that now is in, counted from start
	sum    float64
}

func newWindow(slots int, slot time.Duration) window {
	return window{slot: slot, counts: make([]float64, slots)}
}

// advance forgets what is too old.
func (w *window) advance(now time.Time) {
	if w.start.IsZero() {
		w.start = now
	}
	at := int64(now.Sub(w.start) / w.slot)
	for n := min(at-w.at, int64(len(w.counts))); n > 0; n-- {
		w.at++
		i := w.at % int64(len(w.counts))
		w.sum -= w.counts[i]
		w.counts[i] = 0
	}
	w.at = max(w.at, at)
}

func (w *window) add(now time.Time, n float64) {
	w.advance(now)
	w.counts[w.at%int64(len(w.counts))] += n
	w.sum += n
}

// total counts all slots, the present one included.
func (w *window) total(now time.Time) float64 {
	w.advance(now)
	return w.sum
}
