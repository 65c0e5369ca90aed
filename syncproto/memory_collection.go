package syncproto

import (
	"cmp"
	"slices"
	"sort"
)

// collection is one collection in [Memory].
type collection struct {
	State
	key     Key
	account *account // of the user
	kept    bool     // it is in the maps

	records map[string]int // by origin, their places in the log
	log     []entry        // in ascending order of time; replaced entries stay until there are too many
	bytes   int64
	ids     idLog
}

type entry struct {
	Record   // of a replaced one, the time
	replaced bool
}

// put adds r, whose time is not before that of any record there is, or settle has
// to follow.
func (c *collection) put(r Record) {
	if c.records == nil {
		c.records = make(map[string]int)
	}
	if i, ok := c.records[r.Origin]; ok {
		old := &c.log[i]
		c.bytes -= int64(len(old.Doc))
		*old = entry{Record{Time: old.Time}, true}
	}
	c.records[r.Origin] = len(c.log)
	c.log = append(c.log, entry{Record: r})
	c.bytes += int64(len(r.Doc))
	if len(c.log) > 2*len(c.records)+64 {
		c.compact()
	}
}

func (c *collection) compact() {
	live := make([]entry, 0, len(c.records))
	for _, e := range c.log {
		if !e.replaced {
			c.records[e.Origin] = len(live)
			live = append(live, e)
		}
	}
	c.log = live
}

// settle puts the log in order after records were put that are older than others.
func (c *collection) settle() {
	c.compact()
	slices.SortStableFunc(c.log, func(a, b entry) int { return cmp.Compare(a.Time, b.Time) })
	for i, e := range c.log {
		c.records[e.Origin] = i
	}
}

func (c *collection) clear() {
	c.records, c.log, c.bytes = nil, nil, 0
}

// after lists the records that Store.Read has to give.
func (c *collection) after(since Time, limit int) (page []Record, more bool) {
	first := sort.Search(len(c.log), func(i int) bool { return c.log[i].Time > since })
	n := min(len(c.log)-first, len(c.records))
	if limit > 0 {
		n = min(n, limit)
	}
	page = make([]Record, 0, n)
	for _, e := range c.log[first:] {
		if e.replaced {
			continue
		}
		if limit > 0 && len(page) >= limit && e.Time != page[len(page)-1].Time {
			return page, true
		}
		page = append(page, e.Record)
	}
	return page, false
}
