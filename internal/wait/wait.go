// Package wait waits for what nothing announces: what another process does.
//
// Within a process a channel says when something has happened, and under
// testing/synctest nothing has to be waited for at all. A process that starts,
// stops or notices something gives no such sign; the condition has to be asked
// for again and again. This is the one place that does.
package wait

import "time"

// Until asks ok again and again until it returns true, and reports whether it did
// within limit. The limit bounds a failure only: it should be far longer than
// what is waited for takes on the slowest machine.
func Until(limit time.Duration, ok func() bool) bool {
	start := time.Now()
	for pause := time.Millisecond; !ok(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Since(start) > limit {
			return false
		}
		time.Sleep(pause)
	}
	return true
}
