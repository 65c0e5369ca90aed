package backoff

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Env is a [Store] in an environment variable, for services whose operators
// restart them to configure them. It holds what [Value.MarshalText] writes; a
// variable that is unset or empty is no value. It can only be read.
type Env struct {
	// Name is the variable.
	Name string
}

var _ Store = Env{}

// Get implements [Store].
func (e Env) Get(ctx context.Context) (Value, error) {
	if err := ctx.Err(); err != nil {
		return Value{}, err
	}
	text := os.Getenv(e.Name)
	if text == "" {
		return Value{}, ErrNotSet
	}
	return current([]byte(text), "$"+e.Name)
}

// Set returns an error that is errors.ErrUnsupported: a process cannot change
// the environment of others.
func (e Env) Set(context.Context, Value) error { return e.readOnly("set") }

// Del returns an error that is errors.ErrUnsupported.
func (e Env) Del(context.Context) error { return e.readOnly("delete") }

func (e Env) readOnly(op string) error {
	return fmt.Errorf("backoff: %s $%s: change the environment and start the service again: %w", op, e.Name, errors.ErrUnsupported)
}
