package syncproto

// recent is a map that keeps about the size last used of its entries. It has two
// generations: what is used moves to the newer, and when that is full the older
// one goes. That needs no list through all entries.
type recent[K comparable, V any] struct {
	now, old map[K]V
}

func (r *recent[K, V]) get(k K, size int) (V, bool) {
	v, ok := r.now[k]
	if !ok {
		if v, ok = r.old[k]; ok {
			r.set(k, v, size)
		}
	}
	return v, ok
}

func (r *recent[K, V]) set(k K, v V, size int) {
	if _, ok := r.now[k]; !ok && len(r.now) >= max(1, size/2) {
		r.old, r.now = r.now, nil
	}
	if r.now == nil {
		r.now = make(map[K]V)
	}
	r.now[k] = v
}

func (r *recent[K, V]) delete(k K) {
	delete(r.now, k)
	delete(r.old, k)
}

func (r *recent[K, V]) deleteFunc(match func(K) bool) {
	for _, m := range []map[K]V{r.now, r.old} {
		for k := range m {
			if match(k) {
				delete(m, k)
			}
		}
	}
}
