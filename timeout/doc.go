// Package timeout keeps a service answering when something behind it does not.
//
// It holds every request to a time budget and every backend to its own limit. What cannot
// be answered in time is answered at once with 503 Service Unavailable and Retry-After,
// instead of piling up until the process dies.
//
// There are three parts, and each works without the others.
//
// # Requests
//
// [New] makes a [Limiter], and [Limiter.Handler] puts it around any http.Handler:
//
//	limit, err := timeout.New(timeout.Config{Total: 2 * time.Second})
//	...
//	http.ListenAndServe(addr, limit.Handler(mux))
//
// A request has two deadlines. At the soft one, Config.Grace before the end, its context
// ends with context.DeadlineExceeded and an [*Error] as its cause: a handler that obeys
// its context has the grace to answer from a stale copy, or to say 503 in its own words.
// At the hard one the answer is 503, whatever the handler is doing, because a timer
// writes it.
//
// Nothing is buffered. The first Write or WriteHeader of the handler commits the
// response, and from there on its bytes go straight to the client. A response that is not
// complete at the hard deadline is cut off so that the client sees an error, never a
// short success, and never a 503 in the middle of a body. See [Limiter.Handler] for how
// this differs from http.TimeoutHandler.
//
// # Backends
//
// A [Backend] is one policy for one thing behind the service: how long to dial, how long
// to call, how many calls at once, how many may queue. The same policy applies to
// whatever shape the client of that backend has:
//
//   - [Backend.Do] and [Call] for any function, also one that ignores contexts; its slot
//     stays taken until the function really returns
//   - [Backend.Transport] for an http.RoundTripper
//   - [Backend.Connector] for a database/sql driver
//   - [Backend.DialContext] and [Backend.Conn] for clients that take a dial function or a
//     connection
//
// The first three admit calls: they take a slot, ask the breaker, and refuse what cannot
// be served. The last two only limit time on the wire, so that a client built on a
// limited connection may also be called through Do.
//
// # Budget
//
// The time a request has left travels in its context as its deadline. A call to a backend
// gets the smaller of its own limit and what the budget has left, less what the backend
// must leave for others ([BackendConfig].Reserve). A call that could not finish in what
// is left is refused before it starts. [WithBudget] begins a budget outside a request, in
// a job or a queue worker.
//
// # Errors
//
// Every limit that ends or refuses something gives an [*Error]: it says which backend,
// which limit, how long it took; it is context.DeadlineExceeded to errors.Is and its
// Timeout method reports true. Handlers written as functions that return an error hand it
// to [Limiter.HandlerFunc], which turns it into 503 and Retry-After in one place.
//
// # Shutting down
//
// A request whose context is cancelled from outside counts as one whose client left, and
// gets no 503. So let requests go on: do not make the server's BaseContext one that ends
// with the signal to stop.
//
// Call [Limiter.Wait] after http.Server.Shutdown, and [Backend.Wait] after that, before
// closing what handlers and calls use.
//
// LIMITS.md, beside this file, is about choosing the numbers; DEFECTS.md compares this
// middleware with others, test by test.
//
// All types are safe for concurrent use. Nothing here starts a goroutine that outlives
// the work it was started for.
package timeout
