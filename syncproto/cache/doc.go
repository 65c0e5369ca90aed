// Package cache saves idle polls their query: most polls ask a store for nothing
// but the state of a collection, and it rarely changes.
//
// It remembers within one process, and is right there as long as every write goes
// through it. That is so of a server that has its database to itself, as one with
// a SQLite file should: keep a second server out with a lock, and if other
// programs may write to the file, bound with Config.TTL how long that goes
// unnoticed. Where several servers share a database and a memcached, the package
// memcache remembers for all of them.
package cache
