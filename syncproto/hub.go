package syncproto

import "sync"

// hub wakes who waits for a collection.
type hub struct {
	mu      sync.Mutex
	waiting map[Key]map[chan struct{}]bool
	users   map[string]int // how many of each user wait
	n       int
}

// join begins a wait, unless there are as many already as may be.
func (h *hub) join(key Key, most Watch) (woken chan struct{}, leave func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n >= most.Clients || h.users[key.User] >= most.PerUser {
		return nil, nil, false
	}
	woken = make(chan struct{}, 1)
	if h.waiting == nil {
		h.waiting = make(map[Key]map[chan struct{}]bool)
		h.users = make(map[string]int)
	}
	if h.waiting[key] == nil {
		h.waiting[key] = make(map[chan struct{}]bool)
	}
	h.waiting[key][woken] = true
	h.users[key.User]++
	h.n++
	return woken, func() { h.leave(key, woken) }, true
}

func (h *hub) leave(key Key, woken chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting[key], woken)
	if len(h.waiting[key]) == 0 {
		delete(h.waiting, key)
	}
	if h.users[key.User]--; h.users[key.User] == 0 {
		delete(h.users, key.User)
	}
	h.n--
}

// wake tells all who wait. One that has been told and not looked yet need not
// be told twice.
func (h *hub) wake(key Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for woken := range h.waiting[key] {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
}
