// Package testserver starts the real servers that tests talk to: memcached,
// Redis, PostgreSQL, MariaDB and slapd.
//
// Each is a process of its own on a free loopback port, with its data in a
// temporary folder, and is gone when the test ends. A program that is not
// installed skips the test with a line that says what to install; where
// CI=true it fails the test instead. The process may be frozen, killed and
// started again in mid-test, which is what most callers are here for.
//
// Where any upstream will do there is Echo, which needs no process.
package testserver
