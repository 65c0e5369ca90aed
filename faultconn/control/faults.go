package control

import (
	"hash/fnv"
	"io"
	"math/rand/v2"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// lateReset loses the data it strikes and resets the connection a while later:
// Toxiproxy's reset_peer.
type lateReset struct {
	After time.Duration
}

func (lateReset) Kind() string { return "reset" }

func (r lateReset) Inject(op faultconn.Op) faultconn.Effect {
	return faultconn.Effect{Delay: r.After, Reset: true}
}

// limit ends the connection after so many bytes of one direction, and does not
// wait for a byte more to tell: Toxiproxy's limit_data.
type limit struct {
	Bytes int64
}

func (limit) Kind() string { return "close" }

func (l limit) Inject(op faultconn.Op) faultconn.Effect {
	left := l.Bytes - op.Offset
	switch n := int64(len(op.Data)); {
	case left <= 0:
		return faultconn.Effect{Close: true}
	case left < n:
		return faultconn.Effect{Bytes: int(left)}
	case left == n && op.Kind == faultconn.OpRead:
		return faultconn.Effect{Bytes: int(left), Err: io.EOF}
	}
	return faultconn.Effect{}
}

// portion strikes part of the connections, always the same ones, whatever rules
// come and go: what a rule's own Chance does, for several rules that belong
// together.
type portion struct {
	Fault  faultconn.Fault
	Of     uint64 // seeds the choice
	Chance float64
}

func (p portion) Kind() string { return p.Fault.Kind() }

func (p portion) Inject(op faultconn.Op) faultconn.Effect {
	if !chosen(p.Of, op.Conn, p.Chance) {
		return faultconn.Effect{}
	}
	return p.Fault.Inject(op)
}

func (p portion) Validate() error {
	if v, ok := p.Fault.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

func chosen(seed uint64, conn int, chance float64) bool {
	return rand.New(rand.NewPCG(seed, uint64(conn))).Float64() < chance
}

// leaving is a toxic that has been removed and takes its connections along:
// removing Toxiproxy's timeout closes those that it has starved.
type leaving struct {
	toxic Toxic
	last  int // number of the last connection that there was
	since time.Time
}

// lingering is how long a plan keeps the rule that does so. It strikes at once,
// but from a timer, which the next plan must not overtake.
const lingering = time.Second

func (l leaving) rule(seed uint64) faultconn.Rule {
	return faultconn.Rule{
		Name:   l.toxic.ruleName() + " removed " + l.since.Format(time.RFC3339Nano),
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpClock}},
		Scope:  faultconn.PerConnection,
		Fault:  goodbye{portion{Fault: fault.Close{}, Of: l.toxic.draw(seed), Chance: float64(l.toxic.Toxicity)}, l.last},
	}
}

// goodbye strikes the connections that there were.
type goodbye struct {
	portion
	last int
}

func (g goodbye) Inject(op faultconn.Op) faultconn.Effect {
	if op.Conn > g.last {
		return faultconn.Effect{}
	}
	return g.portion.Inject(op)
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	return h.Sum64()
}
