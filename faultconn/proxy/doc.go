// Package proxy puts a plan of faults between an application and its backend
// where neither is to be touched: it accepts connections, dials the backend
// for each, and copies bytes both ways.
//
//	inj := &faultconn.Injector{}
//	p := &proxy.Proxy{Upstream: "db:5432", Dial: inj.Dialer("db", nil)}
//	l, err := net.Listen("tcp", "localhost:5432")
//	...
//	go p.Serve(l)
//	defer p.Close()
//
//	err = inj.SetPlan(plan) // now, on open connections too
//
// The proxy knows nothing of plans. It takes any listener and any dial
// function, so faults come from the ones that a faultconn.Injector wraps, TLS
// from tls.NewListener and tls.Dialer, and a test without ports from a
// memnet.Network. Wrapping the dial function is enough for most plans: there a
// rule sees the backend as a client does, requests out and replies in. To make
// accepting slow or to fail it, wrap the listener too, under another point.
//
// # What a client can tell
//
// A connection through the proxy behaves like one to the backend:
//
//   - A half-close is passed on, and the other direction stays open.
//   - An RST from either side becomes an RST to the other, with what was
//     received before it delivered first.
//   - When the backend cannot be dialled the client gets an RST. It does not
//     get a connection that ends at once as if the backend had closed it. Only
//     a port that nobody listens on refuses; a [Door] does that, and dials that
//     get no answer at all.
//   - A client that leaves while the backend is being dialled ends the dial, as
//     its own would end. That is looked for when the dial has taken 100 ms, and
//     seen if the client sends an RST, or a FIN before any byte. A FIN after
//     bytes may be a half-close, so it waits for the backend as they do.
//
// Four things cannot be hidden. A client's dial succeeds before the backend has
// been dialled. TCP acknowledges bytes that the backend has not received. An RST
// that follows a FIN, or 128 KiB that the backend has not taken, is noticed one
// write later. And a Unix socket has no RST: its peer reads io.EOF or, if bytes
// of its own were not read, ECONNRESET.
//
// # Cost
//
// A connection takes two goroutines and, while it is quiet, about 6 KiB with
// their stacks, 7 under an Injector. One that is not takes buffers from a pool,
// up to 128 KiB in each direction. That much in one piece makes up for the splice system
// call, which would not tell how many bytes have passed, nor stop for Hold.
package proxy
