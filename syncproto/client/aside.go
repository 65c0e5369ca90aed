package client

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// maxAside is how many documents one sync finds out to be at fault: a server
// that refuses everything is not asked about each.
const maxAside = 8

// aside are documents that the server refuses whatever they come with, until
// they are changed. One of them must not hold up the others.
type aside map[string]refusedDoc // by origin

type refusedDoc struct {
	change uint64
	err    error
}

// unfit says whether some document of a push is at fault: what it says, or how
// much.
func unfit(err error) (status int, yes bool) {
	var e *StatusError
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.Status, e.Status == http.StatusBadRequest || e.Status == http.StatusRequestEntityTooLarge
}

func (a aside) add(b *batch, err error) {
	for origin, n := range b.Changes {
		a[origin] = refusedDoc{n, fmt.Errorf("%w (document %q)", err, origin)}
	}
}

// has says whether a document is still what was refused.
func (a aside) has(origin string, change uint64) bool {
	r, ok := a[origin]
	return ok && r.change == change
}

// err is what was said of the documents that still wait.
func (a aside) err(changed map[string]uint64) error {
	var errs []error
	for _, origin := range slices.Sorted(maps.Keys(a)) {
		if a.has(origin, changed[origin]) {
			errs = append(errs, a[origin].err)
		} else {
			delete(a, origin)
		}
	}
	return errors.Join(errs...)
}
