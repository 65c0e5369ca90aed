package backoff

import "time"

// A Kind says what an [Event] is about.
type Kind string

// The kinds of events. A [Source] sends ValueChanged, StoreFailed and
// StoreRecovered; a [Policy] sends HeaderSent and Shed; a [Transport] sends
// the others.
const (
	ValueChanged   Kind = "value_changed"   // the value in force is another one
	StoreFailed    Kind = "store_failed"    // a reading of the store failed
	StoreRecovered Kind = "store_recovered" // the first good reading after failures
	HeaderSent     Kind = "header_sent"     // a response was given a header
	Shed           Kind = "shed"            // a request was refused before the handler
	Held           Kind = "held"            // an origin asked for a pause, or a longer one
	Waited         Kind = "waited"          // a request was sent after a wait
	NotSent        Kind = "not_sent"        // a request would not wait, or gave up
	Retried        Kind = "retried"         // a request is sent once more
)

// An Event is something that the package did or met, for logs and metrics.
// Fields that do not belong to its Kind are zero. Functions that receive
// events are called synchronously, by several goroutines at once, and must not
// block: a slow one slows requests.
type Event struct {
	Kind Kind

	// Value is the value in force: after the change for ValueChanged, the one
	// that asked for the refusal for Shed.
	Value Value

	// Previous is the value before a ValueChanged.
	Previous Value

	// Err is why the store failed, for StoreFailed; why the value went out of
	// force, for a ValueChanged that an error caused; why the request was not
	// sent, for NotSent.
	Err error

	// Failures counts the readings that failed in a row: 1 for the first
	// StoreFailed; for StoreRecovered, how many it ends.
	Failures int

	// Header names the header that was sent. Of headers that go together
	// (X-Sync-Poll and X-Sync-Poll-Time) there is one event, with the name of
	// the first.
	Header string

	// Wait is what a header says, for HeaderSent; how long the origin is left
	// in peace, for Held; how long the request was kept back, for Waited; how
	// long it would have been, for NotSent; how long it will be, for Retried.
	Wait time.Duration

	// Origin is whom a [Transport]'s event is about, as its Key named it.
	Origin string
}
