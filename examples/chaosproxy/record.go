package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/control"
)

// A recorder writes faults to a file as they strike, a line each and at once:
// what is there can be replayed, however the program ends.
type recorder struct {
	stderr io.Writer

	mu     sync.Mutex
	file   *os.File
	failed bool
}

// newRecorder makes the file. It must be new: the connections of every run are
// numbered from 1, so that a log of two could not be replayed.
func newRecorder(name string, stderr io.Writer) (*recorder, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("-record: %w", err)
	}
	return &recorder{file: f, stderr: stderr}, nil
}

func (r *recorder) fault(e faultconn.Event) {
	line, err := json.Marshal(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed { // what follows a gap would be a log of something else
		return
	}
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if err != nil {
		r.failed = true
		fmt.Fprintf(r.stderr, "chaosproxy: -record: %v: no more faults are recorded\n", err)
	}
}

func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file.Close()
}

// replay has the proxies follow what a recorder has written.
func replay(file string, proxies []control.Proxy) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("-replay: %w", err)
	}
	defer f.Close()
	log, err := faultconn.ReadLog(f)
	if err != nil {
		return fmt.Errorf("-replay %s: %w", file, err)
	}
	if len(log) == 0 {
		return fmt.Errorf("-replay %s: has no faults: nothing would strike", file)
	}
	for _, e := range log {
		if !slices.ContainsFunc(proxies, func(p control.Proxy) bool { return p.Name == e.Point }) {
			return fmt.Errorf("-replay %s: proxy %q is in the log and not among those that are started", file, e.Point)
		}
	}
	for i := range proxies {
		proxies[i].Replay = log
	}
	return nil
}
