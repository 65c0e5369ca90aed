package syncproto

import (
	"context"
	"encoding/json"
	"time"
)

// What a [Store] has to be able to hold.
const (
	// Lengths in bytes, whatever the characters. The [Handler] lets nothing
	// longer through to the store, and nothing that is empty, is not UTF-8 or
	// contains a control character.
	MaxUser       = 256
	MaxCollection = 256
	MaxOrigin     = 1024

	// IDRetention is how long the ID of a write is remembered at least. A client
	// that has not had an answer for longer has to read before it writes.
	IDRetention = 24 * time.Hour
	// IDsKept is how many IDs a collection has to remember at the most; the
	// oldest may be forgotten first.
	IDsKept = 1000
)

// A Key names one collection of one user. Both parts are compared byte by
// byte: "Ann" is not "ann", and a trailing space counts.
type Key struct {
	User       string // the e-mail the session belongs to
	Collection string // such as "apps"
}

// An App is one document of a collection, as a client pushed it.
type App struct {
	Origin string          // identifies the app within the collection
	Doc    json.RawMessage // the whole document, a JSON object in UTF-8
}

// A Record is an app with the server time of the write that last replaced it.
type Record struct {
	Time Time
	App
}

// State is what a collection is at one moment, without its apps. The zero
// State is that of a collection that was never written.
type State struct {
	// UUID identifies this life of the collection: made at random by its first
	// write, the same ever after, another one when it is written again after a
	// deletion. Empty before the first write and while deleted.
	UUID string
	// Last is the time of the last write or deletion. It never goes back, not
	// even over a deletion.
	Last Time
	// Deleted says who deleted the collection, nil unless it is deleted now.
	Deleted *Deletion
}

// A Deletion is why a collection is gone, in the words of the client that
// deleted it.
type Deletion struct {
	ClientID string `json:"client_id"`
	Reason   string `json:"reason"`
}

// A Write is one change to one collection: apps to add or replace, or the
// deletion of the whole.
type Write struct {
	// Apps replace the records of the same origin, whole. No origin appears
	// twice. An app that says "deleted": true is a document like any other.
	// Without apps a write makes sure that the collection exists: it gives a
	// collection that was never written its uuid, and changes nothing else; in
	// particular a deleted collection stays deleted.
	Apps []App
	// Delete, when not nil, removes all records and the uuid and leaves this
	// marker. Apps and IfUnmodifiedSince are then ignored. A collection that
	// is deleted already stays as it is, with the first marker and its time. One
	// that was never written gets its marker too, and so counts for the Quota.
	Delete *Deletion
	// IfUnmodifiedSince, when not nil, refuses the write with [ErrConflict]
	// if the collection was written or deleted after that time. A collection
	// whose Last is zero always passes.
	IfUnmodifiedSince *Time
	// ID, when not empty, makes the write happen once: if the collection has
	// already taken a write with this ID, nothing is written. It is looked up
	// before IfUnmodifiedSince, because a client that repeats a write whose
	// answer was lost conflicts with nobody but itself. At most 64 bytes.
	ID string
	// Quota bounds what the user may hold after the write.
	Quota Quota
}

// A Result is what a write came to.
type Result struct {
	// Time is the time that all records of the write carry, or that of the
	// deletion. If nothing had to be written it is State.Last; of a replay, the
	// time of the write that it repeats.
	Time Time
	// Previous is State.Last as it was before the write. Of a replay, of a
	// write that changed nothing and of a conflict it is State.Last as it is.
	Previous Time
	// UUID is State.UUID after the write.
	UUID string
	// Replayed says that Write.ID had been seen before.
	Replayed bool
}

// A Store keeps collections. [Memory] is one; the package sqlstore has others,
// and [github.com/brownout-go/brownout/syncproto/storetest] tells whether yours
// keeps this contract.
//
// Methods may be called from many goroutines, and by several servers on one
// database. Each is one transaction: it sees and does all or nothing. When the
// context ends, a method returns soon, with an error that is ctx.Err() to
// errors.Is; a write has then happened whole or not at all.
//
// An implementation on SQL needs, for each Write, one transaction that
//
//   - locks the row of the collection (or the database, in SQLite), making it
//     if it isn't there;
//   - looks for the ID among those it remembers, and if it is there returns
//     its time with Replayed set;
//   - compares last with IfUnmodifiedSince;
//   - takes its time from [NextTime], given the clock as it is now, inside the
//     transaction, and last as it was just read. If that says wait, it rolls
//     back, waits without a lock that any other collection needs, and starts
//     again. Last is stored, so that times increase over restarts, clock steps
//     and deletions;
//   - makes a random uuid if there is none;
//   - writes the records, all with that time, checks the quota, stores last,
//     remembers the ID, and commits.
//
// IDs belong to the collection, outlive its deletion, and are remembered for at
// least [IDRetention], unless the collection has had [IDsKept] newer ones.
type Store interface {
	// State returns what the collection is, without reading its apps. Every
	// poll asks this first and most ask nothing else, so it has to be cheap:
	// one look-up by key. A collection that was never written is the zero
	// State, not an error.
	State(ctx context.Context, key Key) (State, error)

	// Read calls begin once, with the state of the collection, and then each
	// for the records whose time is after since, in ascending order of time,
	// all of them as they are at that state. A deleted collection has none.
	//
	// With limit above zero it stops after that many records, but never
	// between two of the same time: it goes on to the last of them. More says
	// that it left some out.
	//
	// The bytes of a record are each's only until it returns, and it may take
	// its time, for it writes to a client. An error of begin or each ends the
	// read and is returned as it is.
	Read(ctx context.Context, key Key, since Time, limit int, begin func(State) error, each func(Record) error) (more bool, err error)

	// Write changes the collection. It returns [ErrConflict] or a *[QuotaError]
	// when it refuses to; the Result is then valid but for its Time.
	Write(ctx context.Context, key Key, w Write) (Result, error)

	// Ping returns nil if the store can serve requests now.
	Ping(ctx context.Context) error
}
