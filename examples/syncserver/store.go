package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/cactus/go-statsd-client/v5/statsd"

	"github.com/brownout-go/brownout/internal/observe"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/sqlstore"
	"github.com/brownout-go/brownout/timeout"
	timeoutobserve "github.com/brownout-go/brownout/timeout/observe"
)

// maxStatements is how many statements run at once; more wait their turn
// within their request's budget.
const maxStatements = 64

// openStore opens the collections. A database that hangs gets what is left of
// the request's budget and no more: the statement is given up and the request
// answered 503.
func (s *server) openStore(ctx context.Context) error {
	if s.cfg.db == memoryDB {
		s.store = &syncproto.Memory{}
		return nil
	}
	connector, dialect, err := sqlstore.Connector(s.cfg.db)
	if err != nil {
		return fmt.Errorf("-db: %w", err)
	}
	if dialect == sqlstore.SQLite {
		lock, err := own(s.cfg.path(), s.cfg.owns())
		if err != nil {
			return fmt.Errorf("-db %s: %w", s.cfg.database(), err)
		}
		s.closers = append(s.closers, lock.Unlock)
	}
	see := &timeoutobserve.Observer{Statsd: s.stats, Log: s.log}
	s.database, err = timeout.NewBackend(timeout.BackendConfig{
		Name: "database", Call: s.cfg.budget, Reserve: s.cfg.budget / 20,
		Slots: maxStatements, RetryAfter: s.cfg.retryAfter, OnEvent: see.Observe,
	})
	if err != nil {
		return err
	}
	db := sql.OpenDB(s.database.Connector(connector))
	db.SetMaxOpenConns(maxStatements)
	db.SetMaxIdleConns(maxStatements)
	s.closers = append(s.closers, db.Close)
	store, err := sqlstore.New(ctx, db, dialect)
	if err != nil {
		return fmt.Errorf("-db %s: %w", s.cfg.database(), err)
	}
	// Logins outlive a restart, and all servers of the database accept them.
	if s.secret, err = store.Secret(ctx); err != nil {
		return err
	}
	s.store = &counted{store, &s.counts, s.stats}
	return nil
}

// counted counts the states that the database is asked for: the polls that no
// cache has answered.
type counted struct {
	*sqlstore.Store
	counts *counts
	stats  statsd.StatSender
}

// State implements syncproto.Store.
func (c *counted) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	c.counts.states.Add(1)
	observe.Stats{Sender: c.stats}.Count("database.states", 1)
	return c.Store.State(ctx, key)
}
