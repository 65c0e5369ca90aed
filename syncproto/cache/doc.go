// Package cache saves idle polls their query: most polls ask a store for nothing
// but the state of a collection, and it rarely changes.
//
// It remembers within one process. Where several servers share a database and a
// memcached, the package memcache remembers for all of them.
package cache
