package main

import "time"

// A phase is a change and the time it is given to show its consequences.
type phase struct {
	name     string
	joining  int     // clients that make their first request in its first minute
	capacity float64 // requests a second that the service can bear
	fleet    int     // clients, then
	length   time.Duration
}

// interval is what clients should be told in the phase.
func (p phase) interval() time.Duration {
	return max(time.Duration(float64(p.fleet)/p.capacity*float64(time.Second)), polls)
}

// settling is how long three intervals are: of those that clients were told
// before, if they are longer, for nobody can be called back.
func settling(phases []phase, i int) time.Duration {
	longest := phases[i].interval()
	if i > 0 {
		longest = max(longest, phases[i-1].interval())
	}
	return 3 * longest
}

// script is what happens to a fleet of so many clients. Whatever its size, the
// intervals are the same.
func script(clients int) []phase {
	capacity := float64(clients) / 1000
	phases := []phase{
		{name: "thundering start", joining: clients / 2, capacity: capacity, fleet: clients / 2},
		{name: "the fleet doubles", joining: clients / 2, capacity: capacity, fleet: clients},
		{name: "half the capacity", capacity: capacity / 2, fleet: clients},
		{name: "recovery", capacity: capacity, fleet: clients},
	}
	for i := range phases {
		phases[i].length = settling(phases, i) + 2*phases[i].interval()
	}
	return phases
}
