package memnet

// minRing is the first size of a ring: room for a request line or a small
// reply, so that ten thousand idle connections stay cheap.
const minRing = 512

// A ring is a growing queue of bytes. How far it may grow is its user's
// business.
type ring struct {
	b    []byte
	head int // index of the first byte
	n    int // bytes held
}

// write appends p.
func (r *ring) write(p []byte) {
	if len(r.b)-r.n < len(p) {
		r.grow(r.n + len(p))
	}
	tail := r.head + r.n
	if tail >= len(r.b) {
		tail -= len(r.b)
	}
	m := copy(r.b[tail:], p)
	copy(r.b, p[m:])
	r.n += len(p)
}

// read moves up to len(p) bytes into p.
func (r *ring) read(p []byte) int {
	if len(p) > r.n {
		p = p[:r.n]
	}
	m := copy(p, r.b[r.head:])
	copy(p[m:], r.b)
	r.drop(len(p))
	return len(p)
}

// drop forgets the first m bytes.
func (r *ring) drop(m int) {
	r.n -= m
	if r.n == 0 {
		r.head = 0 // keeps the next copies in one piece and the cache warm
		return
	}
	r.head += m
	if r.head >= len(r.b) {
		r.head -= len(r.b)
	}
}

// cut forgets the last m bytes.
func (r *ring) cut(m int) {
	r.n -= m
	if r.n == 0 {
		r.head = 0
	}
}

func (r *ring) grow(need int) {
	size := max(minRing, 2*len(r.b))
	for size < need {
		size *= 2
	}
	b := make([]byte, size)
	m := copy(b[:r.n], r.b[r.head:])
	copy(b[m:r.n], r.b)
	r.b, r.head = b, 0
}
