//go:build race

package memnet_test

// underRace makes the largest test smaller: the detector slows it tenfold.
const underRace = true
