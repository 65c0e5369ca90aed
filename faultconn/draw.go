package faultconn

import (
	"math"
	"math/rand/v2"
)

// What a draw is for. Each has its own stream of random numbers, so that none
// depends on how often another was made.
const (
	forChoice uint64 = iota + 1 // whether the rule strikes, and with which fault
	forInject                   // what the fault draws for itself
	forBytes                    // where byte-wide chances strike
)

// source gives random numbers that are a function of the words it is seeded
// with and of nothing else: not of goroutines, read sizes or earlier draws. It
// is seeded when the first number is asked for, because few faults ask.
type source struct {
	pcg    rand.PCG
	rand   *rand.Rand
	words  [8]uint64
	seeded bool
}

func (s *source) at(words [8]uint64) *rand.Rand {
	s.words, s.seeded = words, false
	if s.rand == nil {
		s.rand = rand.New(s)
	}
	return s.rand
}

// Uint64 implements rand.Source.
func (s *source) Uint64() uint64 {
	if !s.seeded {
		var a, b uint64 = 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03
		for _, w := range s.words {
			a = scramble(a ^ w)
			b = scramble(b + w)
		}
		s.pcg.Seed(a, b)
		s.seeded = true
	}
	return s.pcg.Uint64()
}

// scramble is the finaliser of splitmix64: neighbouring words come out
// unrelated.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// words seed a draw: whatever it may depend on, and nothing else. The kind is
// "" where all kinds of operation share a draw.
func (v *view) words(s *stake, purpose uint64, k OpKind, unit, offset int64) [8]uint64 {
	return [8]uint64{s.seed, s.id, v.id.hash, uint64(v.id.number), purpose, hash(string(k)), uint64(unit), uint64(offset)}
}

func (v *view) draw(s *stake, u *unit, k OpKind) float64 {
	if s.Scope == PerByte {
		// That this byte is struck has been drawn; by what has not.
		return s.total * s.source.at(v.words(s, forChoice, k, u.id, 0)).Float64()
	}
	if s.Scope != PerOperation && k != OpClock {
		k = ""
	}
	return 100 * s.source.at(v.words(s, forChoice, k, u.id, 0)).Float64()
}

// choose maps a draw in [0, 100) to a share; -1 is normal.
func choose(shares []Share, draw float64) int {
	for i, s := range shares {
		if draw < s.Percent {
			return i
		}
		draw -= s.Percent
	}
	return -1
}

// byteDraws are the places where a chance per byte strikes in one direction:
// a sequence fixed by its seed, walked as the stream advances.
type byteDraws struct {
	source
	chance          float64
	next, following int64
}

func (b *byteDraws) start(from int64, chance float64, words [8]uint64) {
	b.at(words)
	b.chance = chance
	b.next = from + b.gap()
	b.following = b.next + 1 + b.gap()
}

// from returns the first place struck at or after off, and the one after it.
func (b *byteDraws) from(off int64) (struck, following int64) {
	for b.next < off {
		b.next = b.following
		b.following = b.next + 1 + b.gap()
	}
	return b.next, b.following
}

// never is an offset no stream reaches; sums of a few do not overflow.
const never = math.MaxInt64 / 8

// gap is how many bytes pass before the next one that is struck, when each is
// struck with the same chance: the geometric distribution, by inversion.
func (b *byteDraws) gap() int64 {
	if b.chance >= 1 {
		return 0
	}
	if g := math.Log1p(-b.rand.Float64()) / math.Log1p(-b.chance); g < never {
		return int64(g)
	}
	return never // the chance is 0, or next to it
}
