package framing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Messages chooses messages of a conversation. The zero value chooses all
// replies.
type Messages struct {
	// Requests chooses among requests rather than replies.
	Requests bool
	// Commands are the commands that count, as [Part] names them: "GET",
	// "COM_QUERY"; of replies their statuses: "200", "ERR". Empty: all.
	Commands []string
	// Number is that of the message on its connection, from 1; 0: any.
	Number int
	// Skip, First and Every count the messages that fit, over all connections
	// together: the first so many are let pass, only so many after them are
	// struck, and of those only each so-manieth. 0 is no limit.
	Skip, First, Every int
	// Chance is the probability that a message that fits is struck, drawn for
	// each by itself. 0 is read as 1.
	Chance float64
}

func (m Messages) validate() error {
	switch {
	case math.IsNaN(m.Chance) || m.Chance < 0 || m.Chance > 1:
		return fmt.Errorf("messages.chance %v: must be within [0, 1]", m.Chance)
	case m.Number < 0 || m.Skip < 0 || m.First < 0 || m.Every < 0:
		return fmt.Errorf("messages.number, skip, first, every: must not be negative")
	}
	return nil
}

// fits reports whether the message is one of those that count.
func (m Messages) fits(number int, command string) bool {
	return (m.Number == 0 || m.Number == number) &&
		(len(m.Commands) == 0 || slices.Contains(m.Commands, command))
}

// strikes decides about the i-th message that fits, from 0.
func (m Messages) strikes(i int, r *rand.Rand) bool {
	lucky := m.Chance == 0 || m.Chance == 1 || r.Float64() < m.Chance
	i -= m.Skip
	return lucky && i >= 0 && (m.First == 0 || i < m.First) && (m.Every < 2 || (i+1)%m.Every == 0)
}

// open makes the conversation of a protocol named in a plan; nil for an unknown
// name.
func open(protocol string) *Conversation {
	switch protocol {
	case "http":
		return HTTP()
	case "memcached":
		return Memcached()
	case "redis":
		return Redis()
	case "mysql":
		return MySQL()
	case "postgres":
		return Postgres()
	case "smtp":
		return SMTP()
	case "ldap":
		return LDAP()
	case "lines":
		return Lines()
	}
	return nil
}

func validProtocol(name string) error {
	if open(name) == nil {
		return fmt.Errorf("protocol %q: must be one of http, memcached, redis, mysql, postgres, smtp, ldap, lines", name)
	}
	return nil
}
