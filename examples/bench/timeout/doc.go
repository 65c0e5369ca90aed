// Package timeout measures package timeout beside the bare handler, http.TimeoutHandler,
// chi's Timeout and failsafe-go's handler. Compare the lines of one run:
//
//	go test -bench . -count 5 ./timeout
package timeout
