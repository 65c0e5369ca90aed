package syncproto

import "fmt"

// Quota bounds what a user may hold. Zero fields do not bound anything. A
// write is refused only if it adds to what is over the bound, so that a user
// who is over can always make things smaller.
type Quota struct {
	Collections int   // of the user, the deleted ones included: their markers stay
	Apps        int   // in one collection, tombstones included
	Bytes       int64 // sum of the documents in all collections of the user
}

// A QuotaError says that a write would take its user over a bound of [Quota].
type QuotaError struct {
	What  string // "collections", "apps" or "bytes"
	Limit int64
	Have  int64 // what there would be after the write
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("syncproto: quota: %d %s would be over the %d allowed", e.Have, e.What, e.Limit)
}
