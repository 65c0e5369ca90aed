// Command fleet simulates a service and a million clients that poll it, in
// virtual time, to show what telling them to wait does: an interval that an
// operator has set, the same with jitter, and the interval that package
// adaptive computes from the load.
//
// The clients obey the headers that the real middleware writes. The fleet
// starts all at once, doubles, meets a loss of half of the capacity and its
// recovery. The program prints figures and draws the request rates.
//
//	go run ./examples/fleet                     a million clients, about a minute
//	go run ./examples/fleet -clients 100000     quicker, and rougher
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/adaptive"
)

func main() {
	clients := flag.Int("clients", 1_000_000, "clients, once the fleet has doubled")
	svg := flag.String("svg", "fleet.svg", "file to draw the request rates into; empty for none")
	flag.Parse()
	if *clients < 1000 {
		fmt.Fprintf(os.Stderr, "fleet: -clients is %d: a thousand are the least that make a fleet\n", *clients)
		os.Exit(2)
	}
	if err := run(*clients, *svg, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// polls is what the clients do when they are told nothing: every five minutes,
// and up to a quarter later, as backoff.Transport does.
const (
	polls  = 5 * time.Minute
	jitter = 0.25
)

// policies are what is compared. The operator's value is what the doubled
// fleet needs while the service has all of its capacity.
func policies(right time.Duration) []policy {
	fixed := func(*world) func() backoff.Value {
		return func() backoff.Value { return backoff.Value{Interval: right} }
	}
	return []policy{
		{name: "an operator's value", current: fixed},
		{name: "the same with jitter", current: fixed, jitter: jitter},
		{name: "adaptive", current: func(w *world) func() backoff.Value {
			control, err := adaptive.New(adaptive.Config{
				Rate:   w.capacity, // what the service was built for
				Load:   w.load,     // what it can do now
				Min:    polls,
				Max:    4 * time.Hour,
				Jitter: jitter,
				Seed:   1,
			})
			if err != nil {
				panic(err) // the literal above is wrong
			}
			return func() backoff.Value { return control.CurrentAt(w.now()) }
		}},
	}
}

func run(clients int, svg string, out io.Writer) error {
	phases := script(clients)
	right := time.Duration(float64(clients)/phases[1].capacity) * time.Second
	var results []result
	for _, p := range policies(right) {
		began := time.Now()
		counts, err := simulate(p, phases)
		if err != nil {
			return err
		}
		r := result{policy: p.name, counts: counts}
		r.figures = measure(counts, phases)
		results = append(results, r)
		r.print(out, phases, time.Since(began))
	}
	if svg == "" {
		return nil
	}
	file, err := os.Create(svg)
	if err != nil {
		return err
	}
	if err := draw(file, results, phases); err != nil {
		file.Close()
		return err
	}
	fmt.Fprintf(out, "The rates are drawn in %s.\n", svg)
	return file.Close()
}
