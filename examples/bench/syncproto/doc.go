// Package syncproto measures package syncproto beside what it stands on and
// beside PocketBase: the bare handler, the driver's raw transactions, the same
// work done by another server over the same database engine.
//
//	go test -bench . ./syncproto
//	MILLION=1 POSTGRES=1 go test -bench Users -timeout 1h ./syncproto
//
// What is compared takes turns within one benchmark, so that all see the same
// machine, and is compared by medians. Each subject's time is a metric in ns;
// what ends in -ratio is the first subject's time over this one's: of its speed,
// the share that is left.
//
// MILLION adds stores with a million collections, which take minutes to fill and
// four gigabytes of memory and of disk each. POSTGRES measures PostgreSQL too, up
// to a hundred thousand.
package syncproto
