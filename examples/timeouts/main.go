package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "timeouts:", err)
		os.Exit(1)
	}
}

func run() error {
	fmt.Printf("budget %v, calls to a backend %v, %d of them at once\n\n", budget, call, slots)
	for _, k := range kinds {
		err := host(func(h *terminal) error {
			s, err := newService(k, k.start(h))
			if err != nil {
				return err
			}
			defer s.close()
			for _, m := range mishaps {
				r, err := s.try(m, 20, 20)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", k.name, m.name, err)
				}
				fmt.Printf("%-10s %-7s %v\n", k.name, m.name, r)
				for _, what := range r.other {
					fmt.Printf("           unexpected: %s\n", what)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A terminal is what servers are started on outside of a test.
type terminal struct {
	cleanups []func()
	err      error
}

// host runs fn, and then what fn wanted cleaned up.
func host(fn func(*terminal) error) error {
	h := new(terminal)
	done := make(chan struct{})
	go func() { // Skipf and Fatalf end it
		defer close(done)
		defer func() {
			for i := len(h.cleanups) - 1; i >= 0; i-- {
				h.cleanups[i]()
			}
		}()
		if err := fn(h); h.err == nil {
			h.err = err
		}
	}()
	<-done
	return h.err
}

func (h *terminal) Helper()                           {}
func (h *terminal) Cleanup(f func())                  { h.cleanups = append(h.cleanups, f) }
func (h *terminal) Logf(format string, args ...any)   { fmt.Printf(format+"\n", args...) }
func (h *terminal) Errorf(format string, args ...any) { h.err = fmt.Errorf(format, args...) }

func (h *terminal) Skipf(format string, args ...any) {
	fmt.Printf("skipped: "+format+"\n", args...)
	runtime.Goexit()
}

func (h *terminal) Fatalf(format string, args ...any) {
	h.err = fmt.Errorf(format, args...)
	runtime.Goexit()
}
