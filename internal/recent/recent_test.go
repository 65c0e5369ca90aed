package recent

import (
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

func TestMap(t *testing.T) {
	const size = 100
	var m Map[int, string]
	for i := range 1000 {
		m.Set(-1, "kept", size)
		m.Set(i, "", size)
		if n := len(m.now) + len(m.old); n > size {
			t.Fatalf("%d entries, want %d at the most", n, size)
		}
	}
	if v, ok := m.Get(-1, size); v != "kept" || !ok {
		t.Error("an entry in use was forgotten")
	}
	if _, ok := m.Get(10, size); ok {
		t.Error("an entry out of use was kept")
	}

	m.Delete(-1)
	m.DeleteFunc(func(k int) bool { return k%2 == 0 })
	for i := -1; i < 1000; i++ {
		if _, ok := m.Get(i, size); ok && (i < 0 || i%2 == 0) {
			t.Errorf("%d is there after it was removed", i)
		}
	}
	if _, ok := m.Get(999, size); !ok {
		t.Error("an entry that was not removed is gone")
	}
}

// A key that is part of something larger does not keep all of it.
func TestOwn(t *testing.T) {
	m := Map[string, int]{Own: strings.Clone}
	for i := range 100 {
		request := strings.Repeat("x", 1<<20) + strconv.Itoa(i%4)
		key := request[len(request)-1:]
		if _, ok := m.Get(key, 4); !ok { // moves what is in the older generation
			m.Set(key, i, 4)
		}
		for kept := range m.now {
			if unsafe.StringData(kept) == unsafe.StringData(key) {
				t.Fatalf("key %s is kept as it was given", key)
			}
		}
	}
}
