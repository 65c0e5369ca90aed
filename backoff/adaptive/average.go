package adaptive

import (
	"math"
	"time"
)

// average is a mean that forgets: what is older than over counts little.
type average struct {
	over       time.Duration
	sum, count float64
	last       time.Time
}

func (a *average) fade(now time.Time) {
	if d := now.Sub(a.last); d > 0 {
		f := math.Exp(-float64(d) / float64(a.over))
		a.sum, a.count, a.last = a.sum*f, a.count*f, now
	}
}

func (a *average) add(now time.Time, x float64) {
	a.fade(now)
	a.sum, a.count = a.sum+x, a.count+1
}

// at is the mean, 0 when there is nothing recent to take it of.
func (a *average) at(now time.Time) float64 {
	a.fade(now)
	if a.count < 0.01 {
		return 0
	}
	return a.sum / a.count
}
