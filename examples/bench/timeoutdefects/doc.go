// Package timeoutdefects runs the defects that timeout middleware is known for against
// http.TimeoutHandler, chi's Timeout, failsafe-go's handler and package timeout, on
// HTTP/1.1 and on HTTP/2, in virtual time on a network in memory.
//
// Its test writes down who has which in timeout/DEFECTS.md, and fails when package
// timeout has one or when the page no longer says what is measured:
//
//	go test ./timeoutdefects           # compare
//	go test ./timeoutdefects -update   # write the page
package timeoutdefects
