package syncproto

import "time"

// An Event is one request that has been answered.
type Event struct {
	// Op is what was asked for: "login", "pull", "push", "delete", "heartbeat",
	// "ready", "info", "watch", "preflight", or "" of a request that is none.
	Op string
	// Status is the HTTP status answered, 499 when there was no answer, or no
	// whole one: the client had gone, or the store failed halfway. A client has
	// gone when the request's context was canceled; a server that stops may do
	// that too.
	Status int
	// User and Collection are those of the path or the login, empty if unknown.
	// A user is an e-mail address: log it with care, and make no metric of it.
	User, Collection string
	// Apps and Bytes are the documents pulled or pushed.
	Apps  int
	Bytes int64
	// Idle is a pull without news.
	Idle bool
	// Repaired is a push whose received was held back, because of updates that
	// the client had not seen.
	Repaired bool
	// Replayed is a push or a deletion that had been made before.
	Replayed bool
	// Err is what was wrong, nil if nothing. It may name internals.
	Err error
	// Elapsed is how long the answer took.
	Elapsed time.Duration
}
