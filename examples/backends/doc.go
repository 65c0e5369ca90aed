// Package backends is tests only: real backends (PostgreSQL, MariaDB, Redis,
// memcached, OpenLDAP, and servers for SMTP and HTTP), used with the clients
// that people use, meet every kind of fault: through a faulty dial function,
// and through a proxy between the two. They are also recipes: each client's
// entry in clients_test.go shows where its dial function goes.
//
//	go test ./backends/
//
// A server that is not installed skips its tests and says what to install.
package backends
