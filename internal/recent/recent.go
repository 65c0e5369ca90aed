// Package recent has a map that forgets: what a server remembers of its clients
// has to end somewhere.
package recent

// Map keeps about the size last used of its entries, size being that of each
// call. It has two generations: what is used moves to the newer, and when that
// is full the older one goes. That needs no list through all entries.
//
// The zero Map is empty and ready to use. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	// Own returns a key that can be kept: a copy, where the keys of calls are
	// parts of something larger. Nil keeps them as they are.
	Own func(K) K

	now, old map[K]V
}

// Get returns an entry, and keeps it among the recent ones.
func (m *Map[K, V]) Get(k K, size int) (V, bool) {
	v, ok := m.now[k]
	if !ok {
		if v, ok = m.old[k]; ok {
			m.Set(k, v, size)
		}
	}
	return v, ok
}

// Set adds or replaces an entry.
func (m *Map[K, V]) Set(k K, v V, size int) {
	if len(m.now) >= max(1, size/2) {
		if _, ok := m.now[k]; !ok {
			m.old, m.now = m.now, nil
		}
	}
	if m.now == nil {
		m.now = make(map[K]V)
	}
	if m.Own != nil {
		k = m.Own(k)
	}
	m.now[k] = v
}

// Delete removes an entry.
func (m *Map[K, V]) Delete(k K) {
	delete(m.now, k)
	delete(m.old, k)
}

// DeleteFunc removes all entries whose key matches.
func (m *Map[K, V]) DeleteFunc(match func(K) bool) {
	for _, g := range []map[K]V{m.now, m.old} {
		for k := range g {
			if match(k) {
				delete(g, k)
			}
		}
	}
}
