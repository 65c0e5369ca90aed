package transcript

import "sync"

// Recent keeps the last entries, for a control page or the end of a failed
// test:
//
//	recent := &transcript.Recent{}
//	log := &transcript.Log{OnEntry: recent.Add}
//
// The zero Recent keeps 1000. Its methods may be called from any goroutine.
type Recent struct {
	// Max is how many entries are kept; 0 means 1000.
	Max int

	mu      sync.Mutex
	entries []Entry
	next    int // where the oldest is, once there are Max
	dropped int
}

// Add is for Log.OnEntry.
func (r *Recent) Add(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.Max
	if limit <= 0 {
		limit = 1000
	}
	if len(r.entries) < limit {
		r.entries = append(r.entries, e)
		return
	}
	r.entries[r.next] = e
	r.next = (r.next + 1) % limit
	r.dropped++
}

// Entries returns what is kept, the oldest first, and how many came before it.
func (r *Recent) Entries() (entries []Entry, dropped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entries = append(entries, r.entries[r.next:]...)
	return append(entries, r.entries[:r.next]...), r.dropped
}

// String is the entries as [Text] writes them.
func (r *Recent) String() string {
	entries, _ := r.Entries()
	var b []byte
	for _, e := range entries {
		b = e.AppendText(b)
	}
	return string(b)
}
