package backoff

import "time"

// A Kind says what an [Event] is about.
type Kind string

// The kinds of events. A [Source] sends ValueChanged, StoreFailed and
// StoreRecovered; a [Policy] sends HeaderSent and Shed.
const (
	ValueChanged   Kind = "value_changed"   // the value in force is another one
	StoreFailed    Kind = "store_failed"    // a reading of the store failed
	StoreRecovered Kind = "store_recovered" // the first good reading after failures
	HeaderSent     Kind = "header_sent"     // a response was given a header
	Shed           Kind = "shed"            // a request was refused before the handler
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

	// Err is why the store failed, for StoreFailed; and for a ValueChanged
	// that took the value out of force because of an error.
	Err error

	// Failures counts the readings that failed in a row: 1 for the first
	// StoreFailed; for StoreRecovered, how many it ends.
	Failures int

	// Header names the header that was sent, and Wait is what it says. Of
	// headers that go together (X-Sync-Poll and X-Sync-Poll-Time) there is one
	// event, with the name of the first.
	Header string
	Wait   time.Duration
}
