// Package uuid makes the random names of collections and pushes.
package uuid

import (
	"crypto/rand"
	"fmt"
)

// New returns a random version 4 UUID (RFC 9562). It is not made from the clock:
// two within one tick must differ.
func New() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
