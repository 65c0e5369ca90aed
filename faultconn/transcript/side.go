package transcript

import (
	"slices"
	"time"
)

// side is one direction. The lock of the connection guards it.
type side struct {
	bytes int64
	shown int64

	// For Log.Mask: what has not been told of because a match may go on in what
	// comes, and what has been told of because that did not come in time.
	kept     []byte // the last of bytes
	told     int    // of kept, from its beginning
	fed      int    // of kept, to the searches
	last     time.Time
	searches []search // by secret
	dark     bool     // a match may be under way that began before kept
}

const (
	in  = 0
	out = 1
)

const (
	// mostKept is how much of a match that goes on is remembered. Of longer ones
	// nothing is shown until they are over.
	mostKept = 64 << 10
	// patience is how long the log waits for what may be the rest of a secret.
	patience = time.Second
)

// data tells of bytes that have passed, as far as it may.
func (c *conn) data(dir int, b []byte) {
	if len(b) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(1 - dir) // it came before
	defer c.wait()
	s := &c.sides[dir]
	_, most := c.log.limits()
	full := most >= 0 && s.shown >= int64(most)
	if !full && len(c.log.secrets()) > 0 {
		c.mask(dir, b)
		return
	}
	c.release(dir)
	s.kept, s.told, s.fed, s.searches = nil, 0, 0, nil
	at := s.bytes
	s.bytes += int64(len(b))
	var show []byte
	if !full {
		show = slices.Clone(b)
	}
	c.piece(dir, time.Now(), at, len(b), show)
}

// mask tells of bytes that have passed, and of what has been kept, up to where a
// secret could begin. c.mu is held.
func (c *conn) mask(dir int, b []byte) {
	s := &c.sides[dir]
	before := s.bytes
	s.absorb(b, c.log.secrets())
	s.last = time.Now()
	base := s.bytes - int64(len(s.kept))
	open := s.open()
	if s.dark && open >= before {
		c.conceal(dir)
		s.forget(int(open - base))
		s.dark = false
	} else if !s.dark && open > base+int64(s.told) {
		found := s.find()
		if cut := uncut(found, int(open-base)); cut > s.told {
			c.piece(dir, s.last, base+int64(s.told), cut-s.told, masked(s.kept, found)[s.told:cut])
			s.forget(cut)
		}
	}
	if s.dark || len(s.kept) > mostKept {
		c.conceal(dir)
		s.forget(s.fed)
		s.dark = true
	}
}

// absorb adds bytes that have passed to what is kept.
func (s *side) absorb(b []byte, secrets []*secret) {
	if s.searches == nil {
		for _, of := range secrets {
			s.searches = append(s.searches, newSearch(of))
		}
	}
	s.kept = append(s.kept, b...)
	s.bytes += int64(len(b))
	at, n := s.bytes-int64(len(s.kept)-s.fed), 0
	for i := range s.searches {
		n = s.searches[i].feed(s.kept[s.fed:], at)
	}
	s.fed += n
}

// open is where the earliest match could have begun that is not over; bytes if
// there is none.
func (s *side) open() int64 {
	at := s.bytes
	for i := range s.searches {
		at = min(at, s.searches[i].undecided(s.bytes, len(s.kept)-s.fed))
	}
	return at
}

// forget drops the first n bytes of what is kept.
func (s *side) forget(n int) {
	s.kept = slices.Clone(s.kept[n:])
	s.told, s.fed = max(s.told-n, 0), max(s.fed-n, 0)
}

// find returns the matches of each secret in what is kept.
func (s *side) find() (found [][][]int) {
	for i := range s.searches {
		found = append(found, s.searches[i].expr.FindAllSubmatchIndex(s.kept, -1))
	}
	return found
}

// release tells of what is kept. What may be part of a secret is masked. c.mu is
// held.
func (c *conn) release(dir int) {
	s := &c.sides[dir]
	if s.told == len(s.kept) {
		return
	}
	base := s.bytes - int64(len(s.kept))
	found := s.find()
	data := masked(s.kept, found)
	for i := range s.searches {
		open := int(s.searches[i].undecided(s.bytes, len(s.kept)-s.fed) - base)
		for _, m := range found[i] {
			if m[0] == open && m[1] == len(data) {
				open = secretOf(m)
			}
		}
		stars(data, open, len(data))
	}
	c.piece(dir, s.last, base+int64(s.told), len(data)-s.told, data[s.told:])
	s.told = len(s.kept)
}

// conceal tells of what is kept and shows nothing of it.
func (c *conn) conceal(dir int) {
	s := &c.sides[dir]
	if n := len(s.kept) - s.told; n > 0 {
		c.piece(dir, s.last, s.bytes-int64(n), n, nil)
		s.told = len(s.kept)
	}
}

// wait sees to it that what is kept is told of in time.
func (c *conn) wait() {
	kept := false
	for i := range c.sides {
		kept = kept || c.sides[i].told < len(c.sides[i].kept)
	}
	switch {
	case kept == c.waiting:
		return
	case !kept:
		c.patience.Stop()
	case c.patience == nil:
		c.patience = time.AfterFunc(patience, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.flush()
		})
	default:
		c.patience.Reset(patience)
	}
	c.waiting = kept
}

// flush tells of all that is kept. c.mu is held.
func (c *conn) flush() {
	c.release(in)
	c.release(out)
	c.wait()
}

// piece tells of data, as far as they are to be shown. c.mu is held.
func (c *conn) piece(dir int, at time.Time, offset int64, size int, data []byte) {
	s := &c.sides[dir]
	e := Entry{Time: at, Kind: In, Offset: offset, Size: size}
	if dir == out {
		e.Kind = Out
	}
	show := len(data)
	perEntry, perConn := c.log.limits()
	if perEntry >= 0 {
		show = min(show, perEntry)
	}
	if perConn >= 0 {
		show = int(min(int64(show), max(0, int64(perConn)-s.shown)))
	}
	s.shown += int64(show)
	if show > 0 {
		// What Redact looks for must not be cut by the limit.
		if c.log.Redact != nil {
			data = c.log.Redact(c.about.Point, data)
		}
		e.Data = data[:min(show, len(data))]
	}
	c.entry(e)
}

// snapshot is what the direction of writes knows.
func (c *conn) snapshot() side {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sides[out]
	s.kept = slices.Clone(s.kept)
	s.searches = slices.Clone(s.searches)
	for i := range s.searches {
		s.searches[i] = s.searches[i].clone()
	}
	return s
}

// restore takes back all but the first n bytes of a Write, which has been told.
func (c *conn) restore(before side, b []byte, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.sides[out]
	c.release(out)
	bytes, shown := s.bytes-int64(len(b)-n), s.shown
	if before.bytes+int64(n) != bytes {
		before = side{bytes: bytes - int64(n)} // another Write came between
	}
	masking := s.searches != nil
	*s = before
	s.shown = shown
	if !masking {
		s.bytes = bytes
		return
	}
	s.absorb(b[:n], c.log.secrets())
	s.told = len(s.kept)
	s.forget(uncut(s.find(), int(s.open()-s.bytes)+len(s.kept)))
}
