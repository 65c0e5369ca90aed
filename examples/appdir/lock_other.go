//go:build !unix

package main

import "os"

// lock keeps nobody off where there is no flock: see to it that only one
// appdir works on a directory.
func lock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
