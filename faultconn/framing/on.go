package framing

import (
	"fmt"
	"math/rand/v2"

	"github.com/brownout-go/brownout/faultconn"
)

// On narrows a fault down to chosen messages, and to a place in them: the
// second GET, each COM_QUERY, a reply in the middle of its body.
//
//	faultconn.Rule{Fault: &framing.On{
//		Protocol: "http",
//		Messages: framing.Messages{Commands: []string{"200"}, Number: 2},
//		At:       "body",
//		Byte:     1000,
//		Fault:    fault.Reset{},
//	}}
//
// It follows a connection from the beginning, or from a moment between two
// messages: when the plan is set, or changed by Injector.Update. Messages says
// which are struck. Its rule can have conditions besides, which are those of
// other faults: a Chance is that of an exchange.
//
// Where Messages names commands, and a command comes in pieces, what has passed
// before it is known is not struck. An exchange has one Event, of its first hit. A value belongs in one
// rule of one injector, as a pointer: it keeps what it has seen of each
// connection until that is closed.
type On struct {
	// Protocol is "http", "memcached", "redis", "mysql", "postgres", "smtp",
	// "ldap" or "lines".
	Protocol string
	Messages Messages
	// At is the part of the message the fault begins in: "head", its first
	// byte, or "body", the first one behind the head. "" is "head".
	At string
	// Byte is how many bytes of that part pass first. A message that is
	// shorter is not struck.
	Byte int64
	// Fault strikes from there to the end of the message. Its operation counts
	// as chosen (see [faultconn.Op]), so a delay works on requests too.
	Fault faultconn.Fault
	// Custom begins a conversation of a protocol of your own, or of a
	// [LengthPrefix], instead of Protocol. A plan with it can't be written to
	// JSON.
	Custom func() *Conversation

	followers followers
}

// Kind is "on", in events and metrics too, whatever the Fault is. The Rule of an
// event tells those apart.
func (*On) Kind() string { return "on" }

// Validate reports settings that make no sense.
func (o *On) Validate() error {
	switch {
	case o.At != "" && o.At != "head" && o.At != "body":
		return fmt.Errorf("at %q: must be head or body", o.At)
	case o.Byte < 0:
		return fmt.Errorf("byte %d: must not be negative", o.Byte)
	case o.Fault == nil:
		return fmt.Errorf("fault: missing")
	}
	if v, ok := o.Fault.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return fmt.Errorf("fault %s: %w", o.Fault.Kind(), err)
		}
	}
	switch {
	case o.Custom != nil && o.Protocol != "":
		return fmt.Errorf("protocol %q: set together with custom: keep one of them", o.Protocol)
	case o.Custom == nil:
		if err := validProtocol(o.Protocol); err != nil {
			return err
		}
	}
	return o.Messages.validate()
}

// Watch follows the conversation.
func (o *On) Watch(op faultconn.Op) {
	o.followers.mu.Lock()
	defer o.followers.mu.Unlock()
	o.follow(op)
}

// Inject asks the fault about the bytes of a chosen message, and lets others
// pass.
func (o *On) Inject(op faultconn.Op) faultconn.Effect {
	o.followers.mu.Lock()
	defer o.followers.mu.Unlock()
	w, side, wanted := o.follow(op)
	if w == nil || side != wanted {
		return faultconn.Effect{}
	}
	for i := range w.sides[side].spans {
		m := &w.sides[side].spans[i]
		at := o.place(m)
		if !m.struck || at < 0 || m.end >= 0 && at >= m.end {
			continue
		}
		if at >= op.Offset+int64(len(op.Data)) {
			break
		}
		if at > op.Offset {
			return faultconn.Effect{Bytes: int(at - op.Offset)}
		}
		if e := o.ask(op, m); !nothing(e) {
			if e.Reset || e.Close {
				delete(o.followers.conns, connection{op.Point, op.Conn})
			}
			return e
		}
	}
	return faultconn.Effect{}
}

// follow brings what is known of the connection up to date. wanted is the side
// whose messages may be struck. The lock is held.
func (o *On) follow(op faultconn.Op) (w *follower, side, wanted int) {
	wanted = replies
	if o.Messages.Requests {
		wanted = requests
	}
	begin := o.Custom
	if begin == nil {
		begin = func() *Conversation { return open(o.Protocol) }
	}
	w, side = o.followers.follow(op, begin, len(o.Messages.Commands) == 0, func(_ *follower, side int, m *reach, r *rand.Rand, _ []byte) {
		if side == wanted && o.Messages.fits(m.number, m.command) {
			m.struck = o.Messages.strikes(o.followers.fit, r)
			o.followers.fit++
		}
	})
	return w, side, wanted
}

// place is the offset at which the fault begins; -1 if it is not known.
func (o *On) place(m *reach) int64 {
	if o.At != "body" {
		if m.body >= 0 && m.start+o.Byte >= m.body {
			return -1 // the head is shorter
		}
		return m.start + o.Byte
	}
	if m.body < 0 {
		return -1
	}
	return m.body + o.Byte
}

func (o *On) ask(op faultconn.Op, m *reach) faultconn.Effect {
	if m.asked < 0 {
		m.asked = op.Offset
	}
	n := m.within(op)
	whole := n == len(op.Data)
	op.Data = op.Data[:n]
	op.First = op.Offset == m.asked
	op.Chosen = true
	e := o.Fault.Inject(op)
	if !nothing(e) && e.Bytes == 0 && e.Err == nil && !whole {
		e.Bytes = n
	}
	return e
}

func nothing(e faultconn.Effect) bool {
	return e.Err == nil && e == (faultconn.Effect{})
}
