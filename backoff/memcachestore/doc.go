// Package memcachestore keeps the operator's value in memcached, where the
// original appsync-backoff kept it and every server of a service can read it.
//
//	store, err := memcachestore.New(memcachestore.Config{Addr: "10.0.0.5:11211"})
//	...
//	defer store.Close()
//	source, err := backoff.NewSource(backoff.SourceConfig{Store: store})
//
// # What is stored
//
// A plain interval is a bare decimal number of seconds at the key
// "appsync:X-Sync-Poll", with flags 2, pylibmc's mark of an integer, and no
// expiry: the bytes that the original tool wrote, so that the original tool and
// this package read each other's values. A value with more to it (shares, an
// expiry, a note) has its interval there too, with an expiry if it has one,
// and all of it as JSON at "appsync:X-Sync-Poll:extra". The JSON counts only
// while it agrees with the number: a tool that knows only the number overrides
// it.
//
// Numbers with flags 0, 2, 4 and 16 are read, which is how the versions of
// pylibmc write integers and strings. Anything else is an error that is
// backoff.ErrCorrupt; a Python pickle is never unpickled.
//
// With Config.Status the value is one of the words that the Firefox Sync 1.1
// server read from "status:" and its host name, where its operators drained a
// machine: "down", "draining" or "unhealthy" refuse all requests,
// "backoff:SECONDS" (or "backoff", which is half an hour) asks clients to wait,
// "ok" asks nothing. What a word cannot say is in the JSON here, too.
//
// # Several memcacheds
//
// Python's clients and Go's choose different memcacheds for the same key. So a
// store that is given several writes to all of them, deletes from all of them,
// and reads the longest interval that any of them holds.
//
// # What differs from gomemcache
//
// This package uses gomemcache underneath, with these differences: contexts are
// honoured, in mid-call too; addresses are resolved at each connection rather
// than once; there is one connection to each memcached, and callers take turns
// on it (a Source makes one call a second); a call that finds its idle
// connection closed, for memcached was restarted, is made again on a fresh one.
package memcachestore
