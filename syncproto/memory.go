package syncproto

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/brownout-go/brownout/internal/uuid"
)

// Memory is a [Store] that keeps everything in this process, and loses it with
// it. It is for tests, for trying things out and for data that clients hold
// anyway. The zero Memory is empty and ready to use; it must not be copied.
type Memory struct {
	mu sync.RWMutex
	// All collections, in one map: what a request costs beside many users is
	// each step through memory that is cold.
	collections map[Key]*collection
	users       map[string]*account
}

var (
	_ Replica   = (*Memory)(nil)
	_ Directory = (*Memory)(nil)
)

// account is what one user has.
type account struct {
	collections []*collection
	bytes       int64
}

// open returns the collection to write to. It may not be entered yet: keep
// does that, once the write is known to go through.
func (m *Memory) open(key Key) *collection {
	if c := m.collections[key]; c != nil {
		return c
	}
	a := m.users[key.User]
	if a == nil {
		a = new(account)
	}
	return &collection{key: key, account: a}
}

func (m *Memory) keep(c *collection) {
	if c.kept {
		return
	}
	if m.users == nil {
		m.users, m.collections = make(map[string]*account), make(map[Key]*collection)
	}
	both := c.key.User + c.key.Collection // not the URL that they are part of
	c.key = Key{both[:len(c.key.User)], both[len(c.key.User):]}
	c.kept = true
	c.account.collections = append(c.account.collections, c)
	m.users[c.key.User] = c.account
	m.collections[c.key] = c
}

// State implements [Store].
func (m *Memory) State(ctx context.Context, key Key) (State, error) {
	if err := ctx.Err(); err != nil {
		return State{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if c := m.collections[key]; c != nil {
		return c.State, nil
	}
	return State{}, nil
}

// Read implements [Store]. It takes a list of the records first, so that a
// slow reader holds nobody up; the documents themselves are not copied.
func (m *Memory) Read(ctx context.Context, key Key, since Time, limit int, begin func(State) error, each func(Record) error) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	var (
		st   State
		page []Record
		more bool
	)
	m.mu.RLock()
	if c := m.collections[key]; c != nil {
		st = c.State
		page, more = c.after(since, limit)
	}
	m.mu.RUnlock()

	if err := begin(st); err != nil {
		return false, err
	}
	for _, r := range page {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if err := each(r); err != nil {
			return false, err
		}
	}
	return more, nil
}

// Write implements [Store].
func (m *Memory) Write(ctx context.Context, key Key, w Write) (Result, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		res, wait, err := m.try(key, w)
		if wait == 0 {
			return res, err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return Result{}, ctx.Err()
		}
	}
}

func (m *Memory) try(key Key, w Write) (Result, time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.open(key)
	res := Result{Time: c.Last, Previous: c.Last, UUID: c.UUID}
	if t, ok := c.ids.find(w.ID); ok {
		res.Time, res.Replayed = t, true
		return res, 0, nil
	}
	if since := w.IfUnmodifiedSince; w.Delete == nil && since != nil && c.Last != 0 && c.Last > *since {
		return res, 0, ErrConflict
	}
	if w.Delete != nil && c.Deleted != nil || w.Delete == nil && len(w.Apps) == 0 && (c.UUID != "" || c.Deleted != nil) {
		c.ids.add(w.ID, c.Last)
		return res, 0, nil
	}
	if err := check(c, w); err != nil {
		return res, 0, err
	}
	if w.Delete != nil || len(w.Apps) > 0 {
		t, wait := NextTime(c.Last, time.Now())
		if wait > 0 {
			return res, wait, nil
		}
		c.Last = t
	}
	m.keep(c)
	c.account.bytes -= c.bytes
	if w.Delete != nil {
		marker := *w.Delete
		c.clear()
		c.UUID, c.Deleted = "", &marker
	} else {
		if c.UUID == "" {
			c.UUID = uuid.New()
		}
		c.Deleted = nil
		for _, app := range w.Apps {
			c.put(Record{c.Last, App{strings.Clone(app.Origin), slices.Clone(app.Doc)}})
		}
	}
	c.account.bytes += c.bytes
	c.ids.add(w.ID, c.Last)
	res.Time, res.UUID = c.Last, c.UUID
	return res, 0, nil
}

// check refuses a write to c that its quota has no room for.
func check(c *collection, w Write) error {
	q := w.Quota
	if n := len(c.account.collections) + 1; q.Collections > 0 && !c.kept && n > q.Collections {
		return &QuotaError{What: "collections", Limit: int64(q.Collections), Have: int64(n)}
	}
	var apps int
	var bytes int64
	for _, app := range w.Apps {
		if i, ok := c.records[app.Origin]; ok {
			bytes -= int64(len(c.log[i].Doc))
		} else {
			apps++
		}
		bytes += int64(len(app.Doc))
	}
	if n := len(c.records) + apps; q.Apps > 0 && apps > 0 && n > q.Apps {
		return &QuotaError{What: "apps", Limit: int64(q.Apps), Have: int64(n)}
	}
	if n := c.account.bytes + bytes; q.Bytes > 0 && bytes > 0 && n > q.Bytes {
		return &QuotaError{What: "bytes", Limit: q.Bytes, Have: n}
	}
	return nil
}

// Ping implements [Store]. Memory is always there.
func (m *Memory) Ping(ctx context.Context) error { return ctx.Err() }
