// Command timeouts shows what package timeout makes of slow backends, with numbers.
//
// It starts the memcached, Redis, PostgreSQL, MariaDB and slapd that it finds on PATH,
// and an HTTP server, each on a free loopback port and gone at the end; puts a service in
// front of each; lets twenty clients call the service; and breaks the connections to the
// backend in four ways: hang, slow, reset, refuse.
//
//	go run ./timeouts
//
// For each backend and fault it prints how many requests were answered 200 and 503, how
// long the slowest took (the budget is 300 ms), how many calls were stuck at most (5 are
// allowed), and how long the service took to be well again by itself when the fault had
// ended.
package main
