// Package backoff lets a service ask its clients to come back later, and
// clients obey.
//
// Clients that poll decide the load of the service they poll. When the service
// is in trouble an operator needs one lever that reaches all of them: a number
// of seconds, sent in a response header, that every client waits before its
// next request. This package is that lever from end to end.
//
// # On the server
//
// The number lives in a [Store]: in memory, a file, the environment, or
// memcached (package memcachestore), where `appsync-backoff set 20` puts it. A
// [Source] reads the store about once a second and keeps a copy, so that no
// request ever waits for the store, whatever state the store is in. A [Policy]
// puts the copy into the headers of every response:
//
//	source, err := backoff.NewSource(backoff.SourceConfig{Store: store})
//	...
//	defer source.Close()
//	ease, err := backoff.Policy{Current: source.Current}.Middleware()
//	...
//	http.ListenAndServe(addr, ease(handler))
//
// What an operator can say is a [Value]: the interval; the share of responses
// that carry it; the share of requests that is refused outright; when all this
// ends; and why. The interval is a promise of a minimum: a Policy never tells a
// client less than the operator said, and exactly that unless [Policy].Jitter
// asks for more. A header that the handler has set stands, so a handler that
// sends a Retry-After of its own has to ask [Source.Current] too.
//
// Several opinions combine with [Max]: the operator's and the one that package
// adaptive computes from measured load, for instance.
//
// # In the client
//
// A [Transport] is an http.RoundTripper that does what these headers say, for
// all goroutines of a program together. A 503 or 429 that says when to come
// back holds every request to that origin; the hint on a good response holds
// only the requests that can wait, which the program marks with [Deferrable]. A
// request that is held waits as long as it was told, up to two days, unless its
// context or [Transport].MaxWait says less. A [Poller] is a loop for programs
// that ask again and again:
//
//	client := &http.Client{Transport: &backoff.Transport{MaxWait: time.Minute}}
//	poller := &backoff.Poller{Poll: func(ctx context.Context) error {
//		return pull(backoff.Deferrable(ctx), client)
//	}}
//	err := poller.Run(ctx)
//
// # The headers
//
//	header             on                              read by
//	X-Sync-Poll        successful GET and HEAD         App Sync clients, as documented
//	X-Sync-Poll-Time   the same, same number           App Sync's sync.js, in fact
//	X-Weave-Backoff    every response, if asked for    Firefox Sync clients
//	X-Backoff          the same, same number           Firefox Sync 1.5 clients
//	Backoff            every response, if asked for    Kinto clients
//	Retry-After        503 and 429 that lack it        everyone (RFC 9110, 10.2.3)
//
// All are integer seconds, rounded up. A header that the handler set itself is
// never replaced, and a handler that sets a header's key to nil in the header
// map, as net/http's own convention is for Date, keeps it from being sent.
//
// # Stores
//
// A Store that says "no value" takes effect at the next reading; a Store that
// fails does not: the last good value stays in force for
// [SourceConfig].MaxStale. See [Store] for the contract, and package storetest
// for a suite that checks it.
//
// RUNBOOK.md beside this file is for the operator: what to set when the site is
// in trouble, and what the clients will do then.
package backoff
