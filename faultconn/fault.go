package faultconn

import (
	"math/rand/v2"
	"time"
)

// A Fault decides what goes wrong with one operation. It is a plain value: a
// struct whose exported fields are its options in plan files, named as
// [Catalogue.Parse] says: HowOften is howOften, or what its json tag makes of
// it; time.Duration fields are written "20s".
//
// If it has a method Validate() error, that is called by [Plan.Validate], and
// so before a plan is put in force or comes out of Parse. Its error should name
// the field and what it may be.
//
// Inject must be pure: the same Op gives the same Effect, randomness comes from
// op.Rand alone, nothing sleeps, blocks or keeps state. The connection performs
// the effect. It is called from the goroutine of the operation, with locks of
// the connection held, so it must not use the connection.
//
// A fault that has to know where in a conversation it is has a method
// Watch(op Op) too. It is told of every operation on the connections that its
// rule selects, before any fault is asked about it and whether or not the rule
// strikes there; of the same data again, at the same offset, if not all of them
// pass. Such a fault keeps state, under a lock of its own, and is a pointer.
type Fault interface {
	// Kind names the fault in plan files, events and metrics: "delay".
	Kind() string
	// Inject decides about op. The zero Effect lets it pass.
	Inject(op Op) Effect
}

// OpKind is the kind of an operation.
type OpKind string

// The operations that rules can strike. Reads and what comes with them are the
// inbound direction, writes the outbound one.
const (
	OpDial       OpKind = "dial"        // a connection is about to be dialled
	OpAccept     OpKind = "accept"      // a connection has been accepted
	OpRead       OpKind = "read"        // data have arrived
	OpPeerClose  OpKind = "peer-close"  // the peer's end of stream has arrived
	OpWrite      OpKind = "write"       // data are to be written
	OpCloseWrite OpKind = "close-write" // the local side ends its stream
	OpClose      OpKind = "close"       // the local side closes
	OpClock      OpKind = "clock"       // the moment of When.After or When.Age has come; no traffic needed
)

// Op is one operation a Fault is asked about.
type Op struct {
	Kind  OpKind
	Point string // name the connection was wrapped under
	Conn  int    // number of the connection within its point, from 1
	Addr  string // address of the peer; "" when there is none
	// Server says that the connection was accepted, not dialled: its requests
	// come in and its replies go out.
	Server bool
	// Offset counts the bytes that passed in this direction before this
	// operation, since the rule found the connection.
	Offset int64
	// Exchange is the number of the exchange, from 1, counted likewise; 0
	// before the first.
	Exchange int
	// Hit counts how many times the rule has fired before. With When.PerConn,
	// on this connection.
	Hit int
	// First says that the rule has not yet fired in this unit of its Scope: a
	// stall takes its time only then, or every read of a reply would be late.
	First bool
	// Latency is what the fault has made the unit late by, so that it can make
	// the rest late by as much; 0 before it has.
	Latency time.Duration
	// Chosen says that the rule's Select.Ops names this kind. Faults that act
	// on some kinds by default (a delay on reads) act on others when chosen.
	Chosen bool
	// Elapsed is the time since the rule came into force, never negative.
	Elapsed time.Duration
	// Data are the bytes that have arrived or are to be written, up to the next
	// place where a rule begins or ends. Inject must not change or keep them.
	Data []byte
	// Packet is the size of the whole packet on a PacketConn, of which Data may
	// be a part; 0 on a stream.
	Packet int
	// Rand is the source for this decision. Its values depend on the plan's
	// seed, the rule, the connection and the place in the stream only.
	Rand *rand.Rand
}

// Reply says whether the operation carries a reply: data read from a server, or
// written by one.
func (op Op) Reply() bool {
	if op.Server {
		return op.Kind == OpWrite
	}
	return op.Kind == OpRead || op.Kind == OpPeerClose
}

// Effect is what happens to an operation: the small vocabulary out of which all
// faults are made. The zero value lets the operation pass. What does not apply
// to a kind of operation is ignored there.
//
// An effect first takes its time (Latency, Delay, Rate, Hang) and then its turn.
// Rules are asked in the order of the plan: their delays add up, the lowest Rate counts,
// and the first that ends or changes the operation is the last to be asked. Put
// delays before what they are to delay.
type Effect struct {
	// Delay holds the operation for this long. Deadlines, contexts and Close
	// cut it short.
	Delay time.Duration
	// Latency makes incoming data, or their end, this much later than they have
	// arrived, and is a Delay for any other operation. While the first are held,
	// those behind are read ahead, so that what is late by as much comes in the
	// intervals in which it arrived. More than 256 KiB are not read ahead: what
	// is behind them follows at once, until the stream pauses for as long as
	// the latency, or the next unit begins.
	Latency time.Duration
	// Rate lets data pass at this many bytes a second; 0 means at once. The
	// schedule is absolute: late timers do not lower the rate. With Shared, all
	// connections under the rule share the rate, in both directions.
	Rate   int64
	Shared bool
	// Hang holds the operation until its deadline, Close, or a plan without the
	// rule.
	Hang bool

	// Hit makes the operation a hit, with an Event, though nothing else may be
	// done to it: the first step of a ramp from zero. Any other effect is a hit
	// by itself, except Bytes alone.
	Hit bool

	// Bytes limits the effect to the first so many bytes; the rest of the
	// operation is decided anew. 0 means all of Op.Data. With Err, those bytes
	// pass before the error: a short read or a short write. Bytes alone lets
	// them pass as if the fault had not been asked, so that a fault can name the
	// very byte it is to strike; Event.Offset is then that byte.
	Bytes int
	// Replace puts With in the place of the data. The caller of Write is told
	// that its own bytes were written.
	Replace bool
	With    string
	// Copies is how many more times a packet is sent or received. Streams have
	// no packets and ignore it.
	Copies int
	// Discard loses the data: a Read goes on waiting, a Write reports success
	// and sends nothing, a CloseWrite or Close is not seen by the peer, an
	// accepted connection is not returned by Accept. What is closed or accepted
	// so is kept open until there is a plan without the rule.
	Discard bool

	// Err fails the operation. A syscall.Errno comes out as a system call
	// reports it, io.EOF bare, anything else inside a *net.OpError. The data
	// stay where they are: a later Read returns them.
	Err error
	// Reset breaks the connection with a RST in both directions.
	Reset bool
	// Close ends the connection as if the peer had closed it: reads give
	// io.EOF, writes EPIPE, and the peer sees the end of the stream too.
	Close bool
}

// nothing reports whether the effect is none, and so no hit.
func (e Effect) nothing() bool {
	return e.Err == nil && e.Delay <= 0 && e.Latency <= 0 && e.Rate <= 0 && e.Copies <= 0 && !e.Hit &&
		!e.Hang && !e.Replace && !e.Discard && !e.Reset && !e.Close
}

// ends reports whether no later rule can have a say in the operation.
func (e Effect) ends() bool {
	return e.Err != nil || e.Hang || e.Discard || e.Reset || e.Close
}
