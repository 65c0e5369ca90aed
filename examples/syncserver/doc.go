// Command syncserver is an App Sync server that bends and does not break: the
// packages of this repository composed into one program.
//
//	request → timeout (budget) → backoff (headers) → syncproto → cache → sqlstore
//
// Every request is answered within its budget or with a 503 that says when to
// come back. Every successful GET carries the poll interval that an operator has
// set with appsync-backoff, without ever waiting for memcached. Clients may wait
// for news instead of polling; when the server stops, it lets them go at once.
// Polls without news ask the database nothing, and are answered while it is down.
// A plan of faults given with -faults makes the connections to memcached and the
// accepted connections misbehave on purpose, to see that the rest holds.
//
//	go run ./examples/syncserver -h
package main
