package syncproto

import "context"

// A Replica is a [Store] that can take over collections from another one,
// times and uuids included: the second half of a mirror, or the target of an
// import. [Memory] and the stores of the package sqlstore are.
type Replica interface {
	Store

	// Apply makes the collection what it was elsewhere after a write: its
	// state is ch.State, and ch.Records, which carry their own times, are
	// added to its records or replace those of the same origin. If ch.UUID is
	// not the uuid that the collection has, or ch.Deleted is not nil, the
	// records it had are removed first.
	//
	// Changes of a collection have to be applied in the order in which they
	// happened. One whose Last is not after the collection's is ignored, and
	// so may be applied again. Its records may be in any order, and older than
	// what is there, if what they were in was missed. There is no quota.
	Apply(ctx context.Context, key Key, ch Change) error
}

// A Change is one step in the life of a collection, for [Replica].
type Change struct {
	State
	Records []Record
}
