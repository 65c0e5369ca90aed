// Package syncproto is the App Sync protocol as one http.Handler to mount in
// any server.
//
// App Sync keeps a user's collections of small JSON documents, such as the web
// apps they have installed, the same on all of their devices. A device logs in
// with an assertion about an e-mail address, pulls what changed since it last
// looked, and pushes what changed at its own end. Mozilla ran it in 2011; the
// clients of that time work against this handler unchanged.
//
//	POST /verify                               log in: assertion and audience, as a form
//	GET  /collections/{user}/{collection}      pull: ?since=TIME&limit=N&wait=SECONDS
//	POST /collections/{user}/{collection}      push: an array of documents, ?lastget=TIME
//	POST /collections/{user}/{collection}?delete
//	GET  /__heartbeat__                        the process answers: OK
//	GET  /__ready__                            the store answers too, or 503
//	GET  /info/configuration                   the limits in force
//	GET  /info/usage/{user}                    what a user holds, if the store is a [Directory]
//
// # What it promises
//
// Every write is one transaction and has one server time, later than that of
// any write of the collection before. So a pull returns all of what is newer
// than since and nothing else, a push with lastget succeeds only if nobody
// wrote after that, and a push that names an Idempotency-Key happens once
// however often it is sent. A push's received never leads a client past
// something that it has not seen, even if it never sends lastget: see [Marks].
//
// The whole protocol, with what the first server and its clients did otherwise, is
// written down in PROTOCOL.md beside this file.
//
// What a client sends wrong is a 4xx with a JSON body; a store or a verifier
// that fails, or that the request's context gives up on, is a 503 with
// Retry-After. A 401 is only ever an answer to bad credentials.
//
// # What it is made of
//
// A [Store] keeps the collections: [Memory], the databases of the package
// sqlstore, or your own, checked by the package storetest. A [Verifier] decides
// who may log in as whom: the package browserid checks BrowserID assertions, the
// package verify has verifiers for services and for trying things out.
// [Sessions] follow the login; [SignedSessions] need no memory and are accepted
// by all servers with the same key.
//
// Several servers over one database behave as one if they have the same key and
// share their [Marks], for which the package memcache is made. [Watch] lets
// clients wait for news. Around it there are packages: cache saves idle polls
// their query, mirror copies a store to a second one, archive moves a user from
// one to another, manifest fetches for pages what browsers will not, and client
// is a device.
//
// Past what one database can take, shard by user: nothing in the protocol or in
// the stores crosses from one user to another.
//
// Everything waits with the request's context, so a timeout put around the
// handler bounds all of it, and nothing is sent to poll less often: that is for
// a middleware around it. The packages timeout and backoff of this module are
// made for that. On the answer to a deleted collection the handler sets the
// keys X-Sync-Poll and X-Sync-Poll-Time of the header map to nil, which asks
// them to add none.
package syncproto
