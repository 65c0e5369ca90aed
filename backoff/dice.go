package backoff

import (
	"hash/fnv"
	"io"
	"sync/atomic"
)

// dice draws numbers that many goroutines can draw at once without waiting for
// each other: the n-th draw is a hash of the seed and n (SplitMix64, Steele,
// Lea and Flood 2014).
type dice struct {
	seed uint64
	n    atomic.Uint64
}

const golden = 0x9e3779b97f4a7c15

// roll is uniform in [0, 1).
func (d *dice) roll() float64 {
	return unit(mix(d.seed + d.n.Add(1)*golden))
}

// stable is uniform over names in [0, 1), and always the same for one name.
func (d *dice) stable(name string) float64 {
	h := fnv.New64a()
	io.WriteString(h, name)
	return unit(mix(d.seed + h.Sum64()*golden))
}

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func unit(x uint64) float64 { return float64(x>>11) / (1 << 53) }
