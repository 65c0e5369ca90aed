// Package transcript writes down conversations: what each side said and when,
// and which faults struck in between. It is for reading: of a failed test, or
// of a protocol one is about to meet.
//
//	log := &transcript.Log{OnEntry: transcript.Text(os.Stderr)}
//	inj := &faultconn.Injector{OnEvent: log.Fault}
//	client.DialContext = log.Dialer("memcached", inj.Dialer("memcached", nil))
//
// prints, while it happens,
//
//	12:00:00.000 memcached 1 open to 10.0.0.1:11211
//	12:00:00.000 memcached 1 > get a
//	12:00:00.001 memcached 1 ! slow cache: delay on memcached 1, read at byte 0 of exchange 1, 20s (seed 7)
//	12:00:20.001 memcached 1 < VALUE a 0 5
//	12:00:20.001 memcached 1 < hello
//	12:00:20.001 memcached 1 < END
//	12:00:21.000 memcached 1 close after 21s, 7 bytes out, 27 in
//
// with ">" for what this side sends, "<" for what it receives and "!" for
// faults. What is not text is a hex dump. [JSON] gives the same entries as
// lines of JSON.
//
// # Where to wrap
//
// Outside the injector's wrapper, as above, the log holds what the application
// saw; inside it, inj.Dialer("memcached", log.Dialer("memcached", nil)), what
// went over the wire. Connections are numbered as the injector does it, by
// point and in the order of dials and accepts, so the numbers agree where both
// wrap every connection of a point.
//
// For a proxy between programs, wrap the function that it dials its backend
// with:
//
//	p := &proxy.Proxy{Upstream: "db:5432", Dial: log.Dialer("db", inj.Dialer("db", nil))}
//
// # Bounds and secrets
//
// A log shows the first bytes of each read and write, and of each direction of
// a connection: see [Log]. What is left out is counted.
//
// Log.Mask is for secrets that expressions find, in each direction as a whole: a
// proxy for one reads the first 256 bytes of what it is sent by themselves. What
// could be the beginning of a match is kept back until it is known whether it is,
// and is told of together with the bytes that said so. It does not wait for ever:
// after a second, or as soon as there is anything else to tell of the connection,
// it is told of with asterisks in the place of all that could be secret, and if
// more of it comes, that is masked too. Up to 64 KiB of each direction are kept for
// this; of a match that goes on for longer nothing is shown, to the end of the
// read or write in which it ends. An entry may so be a part of a read or write, or
// of several. A fault that strikes meanwhile is in the log before what is kept.
//
// Log.Redact sees each entry after that, and before anybody else does. What it
// looks for by itself may be cut in two; where that matters, return nil for what
// may hold any part of it.
//
// # Where a wrapped connection differs
//
// It behaves like the one it wraps and offers the same methods, but for a type
// assertion to *net.TCPConn and the like, and for ReadFrom and WriteTo, which
// copy through memory: what splice or sendfile moves cannot be seen. SyscallConn
// and File lead past the log. Time that OnEntry takes is taken from the traffic.
package transcript
