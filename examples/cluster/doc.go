// Package cluster shows that several sync servers over one PostgreSQL and one
// memcached behave as one. It is all tests: cluster_test.go puts a server
// together as a group of them needs it, the other files are what clients of the
// group may rely on while memcached is slow, gone, emptied or out of reach of
// one of the servers, and while the database comes and goes.
package cluster
