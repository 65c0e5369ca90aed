package syncproto

import "context"

// A Directory is a [Store] that can tell what is in it. The stores of this
// module are.
type Directory interface {
	Store

	// Users returns, in ascending order of bytes, at most limit users that
	// have collections, beginning with the first that sorts after after.
	Users(ctx context.Context, after string, limit int) ([]string, error)

	// Collections returns what the user has, by name in ascending order of
	// bytes, deleted collections included.
	Collections(ctx context.Context, user string) ([]Usage, error)

	// Purge forgets a user: records, uuids, markers, times and IDs. What is
	// written afterwards begins anew; devices whose sessions go on write again
	// what they have, so end those before. Where states are remembered in front
	// of the store, as the packages cache and memcache do, purge through them.
	Purge(ctx context.Context, user string) error
}

// Usage is what one collection of a user takes.
type Usage struct {
	Collection string
	State
	Apps  int   // records, tombstones included
	Bytes int64 // sum of their documents
}
