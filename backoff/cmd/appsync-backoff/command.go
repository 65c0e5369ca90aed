package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/memcachestore"
)

// errUsage is for words that are no command.
var errUsage = errors.New("usage")

// A refusal is what is said of a command that makes no sense.
type refusal string

func (r refusal) Error() string { return string(r) }

func (c *command) do(ctx context.Context, words []string) error {
	verb, rest := words[0], words[1:]
	set := verb == "set"
	if (!set && verb != "get" && verb != "del" && verb != "watch") || set != (len(rest) == 1) {
		return errUsage
	}
	var value backoff.Value
	if set {
		var err error
		if value, err = c.value(rest[0], time.Now()); err != nil {
			return err
		}
	}

	store, err := memcachestore.New(memcachestore.Config{Addr: c.memcached, Timeout: c.timeout})
	if err != nil {
		return err
	}
	defer store.Close()
	if verb == "watch" {
		return c.watch(ctx, store)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	switch verb {
	case "get":
		return c.get(ctx, store)
	case "set":
		return c.set(ctx, store, value)
	}
	return c.del(ctx, store)
}

// value makes a value of the number and the options of set.
func (c *command) value(text string, now time.Time) (backoff.Value, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return backoff.Value{}, refusal(fmt.Sprintf("'%s' is not a number of seconds", text))
	}
	const most = int64(backoff.MaxInterval / time.Second)
	switch {
	case n < 0:
		return backoff.Value{}, refusal(fmt.Sprintf("%d seconds is less than none: want 0 to %d", n, most))
	case n > most && !c.force:
		return backoff.Value{}, refusal(fmt.Sprintf("%d seconds is longer than two days (%d), and servers send no more than that: -force sets it all the same", n, most))
	case n > 1<<33:
		return backoff.Value{}, refusal(fmt.Sprintf("%d seconds is longer than anybody will wait", n))
	case c.ttl < 0:
		return backoff.Value{}, refusal(fmt.Sprintf("-ttl is %v: want how long the backoff lasts, such as 30m", c.ttl))
	}
	v := backoff.Value{
		Interval:    time.Duration(n) * time.Second,
		Probability: c.share,
		Unavailable: c.refuse,
		Note:        c.note,
	}
	if c.ttl > 0 {
		v.Until = now.Add(c.ttl).UTC().Round(time.Second)
	}
	if err := v.ValidateAt(now); err != nil {
		return backoff.Value{}, refusal(strings.TrimPrefix(err.Error(), "backoff: "))
	}
	return v, nil
}

func (c *command) get(ctx context.Context, store backoff.Store) error {
	v, err := store.Get(ctx)
	isSet := err == nil
	if err != nil && !errors.Is(err, backoff.ErrNotSet) {
		return err
	}
	switch {
	case c.json && isSet:
		return c.print(struct {
			Set   bool          `json:"set"`
			Value backoff.Value `json:"value"`
		}{true, v})
	case c.json:
		return c.print(struct {
			Set bool `json:"set"`
		}{false})
	case !isSet:
		fmt.Fprintln(c.out, "No Backoff has been set in Memcached")
		return nil
	}
	fmt.Fprintf(c.out, "The Backoff is currently set to %d seconds.\n", int64(v.Interval/time.Second))
	c.details(v)
	return nil
}

// details prints what the original tool did not know, a line each.
func (c *command) details(v backoff.Value) {
	if v.Probability > 0 && v.Probability < 1 {
		fmt.Fprintf(c.out, "It goes on %.3g%% of responses.\n", v.Probability*100)
	}
	if v.Unavailable > 0 {
		fmt.Fprintf(c.out, "%.3g%% of requests are refused.\n", v.Unavailable*100)
	}
	if !v.Until.IsZero() {
		fmt.Fprintf(c.out, "It ends at %s.\n", v.Until.UTC().Format(time.RFC3339))
	}
	if v.Note != "" {
		fmt.Fprintf(c.out, "Note: %s\n", v.Note)
	}
}

// set writes and reads back: a memcached that is full or read-only can say
// STORED and hold nothing, and another operator may be at work.
func (c *command) set(ctx context.Context, store backoff.Store, v backoff.Value) error {
	if err := store.Set(ctx, v); err != nil {
		return err
	}
	got, err := store.Get(ctx)
	if err != nil {
		return fmt.Errorf("wrote the backoff but cannot read it back: %w", err)
	}
	if got.String() != v.String() {
		return fmt.Errorf("wrote %v but read back %v: has somebody else set it meanwhile? see `appsync-backoff get`", v, got)
	}
	if c.json {
		return c.print(v)
	}
	fmt.Fprintf(c.out, "Backoff set to %d seconds.\n", int64(v.Interval/time.Second))
	c.details(v)
	return nil
}

func (c *command) del(ctx context.Context, store backoff.Store) error {
	if err := store.Del(ctx); err != nil {
		return err
	}
	if v, err := store.Get(ctx); !errors.Is(err, backoff.ErrNotSet) {
		return fmt.Errorf("deleted the backoff but read back %v (%v): has somebody else set it meanwhile? see `appsync-backoff get`", v, err)
	}
	if c.json {
		return c.print(struct {
			Set bool `json:"set"`
		}{false})
	}
	fmt.Fprintln(c.out, "Backoff removed")
	return nil
}

func (c *command) print(v any) error {
	return json.NewEncoder(c.out).Encode(v)
}
