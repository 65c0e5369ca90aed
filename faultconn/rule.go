package faultconn

import "time"

// Rule says when a fault strikes. The zero Rule with a Fault strikes every
// exchange on every connection.
type Rule struct {
	// Name tells rules apart in events and errors, and is part of what seeds
	// their draws: a named rule draws the same whatever other rules come and
	// go. "" becomes "rule 1", by position. Names must be unique in a plan.
	Name string
	// Select says on which connections and operations. Zero: on all.
	Select Select
	// When says at which moments. Zero: always.
	When When
	// Scope says how often Chance or Mix is drawn. Zero: once an exchange.
	Scope Scope
	// Chance is the probability that the rule strikes, in [0, 1], drawn once a
	// unit of Scope. 0 is read as 1: a rule without a chance always strikes.
	Chance float64
	// Fault is what goes wrong. Either Fault or Mix, not both.
	Fault Fault
	// Mix chooses among several faults, once a unit of Scope.
	Mix []Share
	// Limits bound how often the rule strikes. Zero: no limit.
	Limits Limits
	// Off keeps the rule in the plan without asking it, for a plan that puts it
	// in force later: a fault that is prepared and switched on when it is time.
	// It has to be valid all the same, and [Injector.Unfired] does not name it.
	Off bool
}

// Share is one part of a mix.
type Share struct {
	Percent float64 // of the units of the rule's Scope; what is left of 100 is normal
	Fault   Fault
}

// Select chooses connections and operations. Zero fields choose all.
type Select struct {
	Point string   // the name a connection was wrapped under
	Ops   []OpKind // empty: those the fault is made for
	Conns []int    // connection numbers, from 1
	// Peer is the address of the other side: an address ("10.0.0.1"), an
	// address or name with a port ("db:5432"), or a prefix ("10.0.0.0/8"). Where
	// a proxy dials, it may be that of the proxy's client as well.
	Peer string
}

// When chooses moments. All of its conditions have to hold. Zero fields always
// do.
type When struct {
	// Skip lets the first so many units of the rule's Scope pass: a warm-up.
	Skip int
	// First strikes only the first so many units after Skip, so that the fault
	// heals by itself: a transient. 0 means all.
	First int
	// Every strikes only each so-manieth unit after Skip: 3 strikes the third,
	// the sixth and so on. 0 and 1 mean each.
	Every int
	// Cycle begins to count anew after so many units: Skip 8 with Cycle 10
	// strikes the last two of each ten. 0 means never.
	Cycle int
	// PerConn counts units, and hits, on each connection by itself rather than
	// over all the connections of a point together.
	PerConn bool

	// From and Until bound the byte offsets: From <= offset < Until. Until 0
	// means no end. Offsets count in each direction by itself, over all
	// exchanges of a connection. Where only one direction is meant, Select.Ops
	// has to say so.
	From, Until int64

	// Pattern is a text that must have passed in the exchange, in either
	// direction: the rule holds from the byte after it to the end of the
	// exchange.
	Pattern string

	// After and Before bound the time since the rule came into force: After <= t <
	// Before. Before 0 means no end. With Period, they bound the time within
	// each period: a service that flaps.
	After, Before, Period time.Duration
	// Age is how long the connection must have been open, counted from the
	// moment the rule found it. At After and at Age, whichever is later, the
	// rule gets an OpClock on each connection, so that an idle one can be
	// struck too; with Period, in each period.
	Age time.Duration
}

// Scope is how often a rule draws. Each unit of it is drawn once.
type Scope string

// The scopes of a draw. A connection-wide draw is sticky: a connection chosen
// stays chosen. Byte-wide draws make the chance a rate per byte, which does not
// depend on how the stream is cut into reads.
const (
	PerExchange   Scope = "exchange" // the default
	PerConnection Scope = "connection"
	PerOperation  Scope = "operation"
	PerByte       Scope = "byte"
)

// Limits bound how often a rule strikes, so that an experiment cannot get out
// of hand.
type Limits struct {
	// Hits is how many units are struck, over all connections. 0 means no limit.
	Hits int
	// Conns is how many connections are struck at the same time: a connection
	// counts from when it is first struck until it is closed. 0 means no limit.
	Conns int
}

// share is the list the draw chooses from.
func (r Rule) shares() []Share {
	if r.Fault == nil {
		return r.Mix
	}
	chance := r.Chance
	if chance == 0 {
		chance = 1
	}
	return []Share{{Percent: 100 * chance, Fault: r.Fault}}
}
