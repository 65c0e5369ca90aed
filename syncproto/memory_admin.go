package syncproto

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Apply implements [Replica].
func (m *Memory) Apply(ctx context.Context, key Key, ch Change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.open(key)
	if ch.Last <= c.Last {
		return nil
	}
	m.keep(c)
	c.account.bytes -= c.bytes
	if ch.UUID != c.UUID || ch.Deleted != nil {
		c.clear()
	}
	c.State = ch.State
	if ch.Deleted != nil {
		marker := *ch.Deleted
		c.Deleted = &marker
	}
	records := slices.Clone(ch.Records)
	slices.SortStableFunc(records, func(a, b Record) int { return cmp.Compare(a.Time, b.Time) })
	older := len(records) > 0 && len(c.log) > 0 && records[0].Time < c.log[len(c.log)-1].Time
	for _, r := range records {
		c.put(Record{r.Time, App{strings.Clone(r.Origin), slices.Clone(r.Doc)}})
	}
	if older {
		c.settle()
	}
	c.account.bytes += c.bytes
	return nil
}

// Users implements [Directory].
func (m *Memory) Users(ctx context.Context, after string, limit int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var users []string
	for u := range m.users {
		if u > after {
			users = append(users, u)
		}
	}
	slices.Sort(users)
	return users[:min(len(users), max(0, limit))], nil
}

// Collections implements [Directory].
func (m *Memory) Collections(ctx context.Context, user string) ([]Usage, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	a := m.users[user]
	if a == nil {
		return nil, nil
	}
	var all []Usage
	for _, c := range a.collections {
		all = append(all, Usage{Collection: c.key.Collection, State: c.State, Apps: len(c.records), Bytes: c.bytes})
	}
	slices.SortFunc(all, func(a, b Usage) int { return cmp.Compare(a.Collection, b.Collection) })
	return all, nil
}

// Purge implements [Directory].
func (m *Memory) Purge(ctx context.Context, user string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.users[user]
	if a == nil {
		return nil
	}
	for _, c := range a.collections {
		delete(m.collections, c.key)
	}
	delete(m.users, user)
	return nil
}
