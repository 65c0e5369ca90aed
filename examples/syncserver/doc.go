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
// A SQLite file that it makes is readable by its owner only: besides what people
// keep there it holds the key that signs their logins, so that they stay logged
// in over a restart; so does every copy of it. The first start of a newer program
// brings the tables up to date, after which older ones refuse to open them: stop
// the old one, copy the file, start the new one, and go back with the copy.
//
//	go run ./examples/syncserver -h
package main
