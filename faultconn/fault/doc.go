// Package fault is the catalogue of things that go wrong with connections.
//
// Each fault is a plain struct to put into a faultconn.Rule. What is not set
// has a useful default, which the type's doc says. Faults decide, connections
// perform: see faultconn.Effect for what can happen at all, and write your own
// fault the way these are written.
//
// Which side a fault strikes depends on who wraps: on a dialled connection
// reads carry the replies of the server, on an accepted one the requests of the
// client. "Reply" means the data that answer: read on a dialled connection,
// written on an accepted one.
//
// # What each does, and where it leaves the contract of net.Conn
//
// The operations are those struck when Select.Ops names none. With none of them
// does a Read or Write outlast its deadline or Close, and none reorders bytes.
//
//	fault       operations                      departure from net.Conn
//	normal      none                            none
//	delay       read, peer-close                none: data are late
//	bandwidth   read, write                     none: data are late
//	slice       read, write                     none: reads are short
//	loss        read, write                     none: data are late
//	hang        read, peer-close                none: data do not come
//	black-hole  all but clock                   Write reports bytes written that were not, Close leaves the peer's side open
//	blackout    all but close-write, close      none: the peer has closed, dials are refused
//	abort       reply, peer-close               none: the peer has reset
//	reset       read, peer-close, write, clock  none: the peer has reset
//	close       read, write, clock              none: the peer has closed; Write gives EPIPE at once, where TCP takes one more
//	refuse      dial                            none
//	fail        read, write, dial               the connection goes on after the error
//	short-write write                           the connection goes on after the error
//	garbage     reply                           the bytes are not those the peer sent
//	corrupt     read, write                     the bytes are not those the peer sent
//	duplicate   read, write                     the bytes are not those the peer sent
//	mtu         packets only                    none: packets may be lost
//
// # Recipes
//
//	stall in the middle of a reply   Delay with When.From and First
//	middle of the second reply       framing.On with Messages.Number 2 and Byte; or When.From, which counts the first reply too, and Select.Ops read
//	truncated reply                  Close with When.From and Select.Ops read
//	truncated garbage                Close with When.From 1 and Select.Ops read, and Garbage in the next rule
//	slow dial, accept or close       Delay with Select.Ops
//	dial into nothing                Hang with Select.Ops dial
//	lost FIN, half-open connection   BlackHole with Select.Ops close-write, close, peer-close
//	one-way partition                BlackHole with Select.Ops read, or write
//	hold and release                 Hang, and then another plan: nothing is lost
//	transient                        any fault with When.First
//	flapping                         Blackout with When.Before and Period
//	reset of idle connections        Reset with When.Age, or Select.Ops clock for at once
//	packet loss                      Loss with Scope byte; on packets BlackHole with Scope operation
//	reordered packets                Delay with Jitter and Scope operation
package fault
