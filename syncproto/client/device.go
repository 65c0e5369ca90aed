package client

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Device is a copy of one collection. Its methods may be called concurrently;
// syncs, and the saving of what they and others change, take turns. It starts
// no goroutine and needs no closing.
type Device struct {
	cfg  Config
	turn chan struct{} // holds a token while something syncs
	save chan struct{} // and while something saves

	mu    sync.Mutex
	st    *state
	told  bool  // Wait has told of news since the last Sync
	vain  bool  // which that Sync has not found
	aside aside // for who has the turn
}

// Open makes a device, with the state that is in its storage.
func Open(ctx context.Context, c Config) (*Device, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Device{cfg: c, turn: make(chan struct{}, 1), save: make(chan struct{}, 1), st: newState(), aside: aside{}}
	b, err := c.Storage.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("client: load: %w", err)
	}
	if b != nil {
		if d.st, err = decodeState(b); err != nil {
			return nil, fmt.Errorf("client: load: the stored state is not one: %w", err)
		}
	}
	if of := d.st.URL[strings.LastIndexByte(d.st.URL, '/')+1:]; of != "" && of != url.PathEscape(c.Collection) {
		return nil, fmt.Errorf("client: load: the stored state is of the collection %q, not of %q: give each a Storage of its own", of, c.Collection)
	}
	if d.st.Server != "" && d.st.Server != c.URL {
		d.st.Auth = "" // log in there
	}
	return d, nil
}

// Get returns a document, nil if there is none.
func (d *Device) Get(origin string) json.RawMessage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.st.Docs[origin])
}

// All returns all documents by origin.
func (d *Device) All() map[string]json.RawMessage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.st.Docs)
}

// Pending returns how many changes the server has not acknowledged.
func (d *Device) Pending() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.st.Changed)
}

// Set adds documents, or replaces those of the same origin. Each is a JSON
// object with an origin; one that says "deleted": true removes. The first
// clients want a last_modified in it too, in milliseconds. White space between
// tokens is not kept. If it returns an error of the storage or of the context,
// the change is made but not saved: the next save has it too, and nothing is
// pushed before one.
func (d *Device) Set(ctx context.Context, docs ...json.RawMessage) error {
	type change struct {
		origin string
		doc    json.RawMessage
	}
	var all []change
	for _, doc := range docs {
		origin, deleted, err := identify(doc)
		if err != nil {
			return err
		}
		if doc = compact(doc); deleted {
			doc = nil
		}
		all = append(all, change{origin, doc})
	}
	return d.update(ctx, func(s *state) {
		for _, c := range all {
			s.change(c.origin, c.doc)
		}
	})
}

// Remove removes documents here, and at the next sync everywhere.
func (d *Device) Remove(ctx context.Context, origins ...string) error {
	return d.update(ctx, func(s *state) {
		for _, o := range origins {
			s.change(o, nil)
		}
	})
}

// Forget drops the documents and everything else but the session, as after a
// [DeletedError]. It waits for a sync that is under way.
func (d *Device) Forget(ctx context.Context) error {
	if err := take(ctx, d.turn); err != nil {
		return err
	}
	defer func() { <-d.turn }()
	return d.forget(ctx)
}

func (d *Device) forget(ctx context.Context) error {
	return d.update(ctx, func(s *state) {
		old := *s
		*s = *newState()
		s.Server, s.User, s.URL, s.Auth, s.Changes = old.Server, old.User, old.URL, old.Auth, old.Changes
	})
}

// Revive takes all documents for changed, so that the next sync makes a deleted
// collection anew of them. It waits for a sync that is under way.
func (d *Device) Revive(ctx context.Context) error {
	if err := take(ctx, d.turn); err != nil {
		return err
	}
	defer func() { <-d.turn }()
	return d.update(ctx, func(s *state) {
		s.restart()
		for o := range s.Docs {
			s.change(o, s.Docs[o])
		}
		s.Revive = true
	})
}

// update changes the state and saves it.
func (d *Device) update(ctx context.Context, change func(*state)) error {
	d.mu.Lock()
	change(d.st)
	d.mu.Unlock()
	return d.persist(ctx)
}

// persist saves the state as it is by then.
func (d *Device) persist(ctx context.Context) error {
	if err := take(ctx, d.save); err != nil {
		return err
	}
	defer func() { <-d.save }()
	d.mu.Lock()
	b, err := d.st.encode()
	d.mu.Unlock()
	if err != nil {
		return fmt.Errorf("client: save: %w", err)
	}
	return d.cfg.Storage.Save(ctx, b)
}

// take takes a turn, or gives up with the context.
func take(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run syncs, waits for news for as long as every, and syncs again, until the
// context ends or a sync fails; it returns why. Where the server doesn't let
// clients wait, it sleeps. It is an error if every is not above zero.
func (d *Device) Run(ctx context.Context, every time.Duration) error {
	if every <= 0 {
		return fmt.Errorf("client: run: every %v: it would ask without a pause", every)
	}
	for {
		if _, err := d.Sync(ctx); err != nil {
			return err
		}
		if err := d.Wait(ctx, every); err != nil {
			return err
		}
	}
}
