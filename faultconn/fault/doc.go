// Package fault is the catalogue of things that go wrong with connections.
//
// Each fault is a plain struct to put into a faultconn.Rule. What is not set
// has a useful default, which the type's doc says. Faults decide, connections
// perform: see faultconn.Effect for what can happen at all, and write your own
// fault the way these are written.
//
// Which side a fault strikes depends on who wraps: on a dialled connection
// reads carry the replies of the server, on an accepted one the requests of the
// client. "Reply" below means the data that answer: read on a dialled
// connection, written on an accepted one.
package fault
