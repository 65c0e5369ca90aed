// Package storetest tells whether a [syncproto.Store] keeps its contract.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) syncproto.Store { return open(t) })
//	}
//
// [Run] asks for each sentence of the contract, and [Restart] for what has to
// outlive a crash; [Histories] lets devices do as they please at the same time
// and looks for an update that got lost, and [ServiceHistories] does so through
// the servers in front of it.
//
// Every case says why it is asked. The cases for [syncproto.Replica] and
// [syncproto.Directory] run if the store is one. Nothing here depends on how
// fast the store is.
package storetest

import (
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// Run runs the suite. Open returns an empty store, a new one at each call, and
// sees to closing it with t.Cleanup. The store is asked for from many
// goroutines at once, so run it with -race.
func Run(t *testing.T, open func(t *testing.T) syncproto.Store) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			x := &suite{T: t, Store: s, because: c.because}
			switch {
			case c.replica != nil:
				r, ok := s.(syncproto.Replica)
				if !ok {
					t.Skipf("%T is no syncproto.Replica", s)
				}
				c.replica(x, r)
			case c.directory != nil:
				d, ok := s.(syncproto.Directory)
				if !ok {
					t.Skipf("%T is no syncproto.Directory", s)
				}
				c.directory(x, d)
			default:
				c.run(x)
			}
		})
	}
}

// test is one thing the contract asks for.
type test struct {
	name    string
	because string // what breaks for whom if the store does otherwise

	run       func(*suite)
	replica   func(*suite, syncproto.Replica)
	directory func(*suite, syncproto.Directory)
}

func cases() []test {
	var all []test
	for _, group := range [][]test{readCases, writeCases, timeCases, conditionCases, deleteCases, idCases, quotaCases, nameCases, contextCases, replicaCases, directoryCases} {
		all = append(all, group...)
	}
	return all
}
