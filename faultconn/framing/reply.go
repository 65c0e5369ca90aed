package framing

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/brownout-go/brownout/faultconn"
)

// Reply refuses requests in the server's own words: "Too many connections",
// LOADING, 503 with Retry-After. What is tested with it is how an application
// deals with a backend that is up and says no.
//
//	faultconn.Rule{Fault: &framing.Reply{
//		Protocol: "mysql",
//		Error:    "deadlock",
//		Messages: framing.Messages{Commands: []string{"COM_QUERY"}, First: 1},
//	}}
//
// A request that is refused takes no effect: the server gets one in its place
// that changes nothing (OPTIONS *, version, PING, COM_PING, Sync, NOOP, a
// compare on LDAP's root), and its reply is replaced. An error that comes
// before any request takes the place of the server's greeting. After an error
// that ends a connection the client reads the end of the stream.
//
// What can't be refused passes: requests without a reply, those inside a SMTP
// mail or login, whatever goes over TLS. The remarks at [On] hold here too,
// except that a rule's Chance and Mix have to be drawn PerConnection, and of its
// When only After, Before and Age may be set: a request and its reply must not be
// drawn for apart. Anything else is an error of the plan.
type Reply struct {
	// Protocol is "http", "memcached", "redis", "mysql", "postgres", "smtp" or
	// "ldap".
	Protocol string
	// Messages chooses among requests, whatever its field Requests says; for
	// an error in the place of a greeting, among connections.
	Messages Messages
	// Error names what the server says; "" is the first one:
	//   - http: "503", "500", "502", "504", "429";
	//   - memcached: "out-of-memory" and "too-large", both SERVER_ERROR, and
	//     "too-many-connections";
	//   - redis: "loading", "busy", "out-of-memory", "read-only",
	//     "master-down", "too-many-connections";
	//   - mysql: "shutting-down" (1053), "too-many-connections" (1040, as the
	//     greeting), "deadlock" (1213), "lock-timeout" (1205), "read-only" (1290);
	//   - postgres: "shutting-down" (57P01), "too-many-connections" (53300) and
	//     "starting-up" (57P03) instead of a login, "deadlock" (40P01),
	//     "serialization" (40001), "canceled" (57014), "read-only" (25006);
	//   - smtp: "421", "421-greeting", "450", "451", "452", "554";
	//   - ldap: "busy" (51), "unavailable" (52), "unwilling" (53),
	//     "time-limit" (3).
	Error string
	// RetryAfter is sent with HTTP errors if it is above 0, in whole seconds.
	RetryAfter time.Duration

	followers followers
}

// Kind is "reply".
func (*Reply) Kind() string { return "reply" }

// Validate reports settings that make no sense.
func (y *Reply) Validate() error {
	if _, err := findRefusal(y.Protocol, y.Error); err != nil {
		return err
	}
	if y.RetryAfter < 0 || y.RetryAfter > 0 && y.Protocol != "http" {
		return fmt.Errorf("retryAfter %v: must not be negative, and is for http only", y.RetryAfter)
	}
	return y.Messages.validate()
}

// ValidateRule reports a rule under which the request would be refused and its
// reply not, or the other way round.
func (*Reply) ValidateRule(r faultconn.Rule) error {
	rest := r.When
	rest.After, rest.Before, rest.Age, rest.PerConn = 0, 0, 0, false
	switch {
	case len(r.Select.Ops) > 0:
		return fmt.Errorf("strikes requests and their replies: select.ops must be empty")
	case rest != faultconn.When{}:
		return fmt.Errorf("strikes requests and their replies: of when only after, before and age may be set; use messages.number, skip, first, every")
	case r.Scope == faultconn.PerByte, r.Scope == faultconn.PerOperation:
		return fmt.Errorf("strikes requests and their replies: scope %s: must be exchange or connection", r.Scope)
	case r.Scope != faultconn.PerConnection && (len(r.Mix) > 0 || r.Chance != 0 && r.Chance != 1):
		return fmt.Errorf("strikes requests and their replies: chance and mix need scope connection; for a chance of each message use messages.chance")
	}
	return nil
}

// Watch follows the conversation, and decides about requests.
func (y *Reply) Watch(op faultconn.Op) {
	y.followers.mu.Lock()
	defer y.followers.mu.Unlock()
	if f, err := findRefusal(y.Protocol, y.Error); err == nil {
		y.follow(op, f)
	}
}

// refusing is what a Reply knows of one connection.
type refusing struct {
	asked   bool     // a request has been seen
	owed    int      // replies that are to come before that of the next request
	answers []answer // to be given
	batch   bool     // inside a PostgreSQL batch that is refused
	over    int64    // offset in the replies from which on nothing comes; 0: none
}

type answer struct {
	text  string
	after int   // replies that come before it
	id    int32 // of LDAP
}

// Inject takes chosen requests out and puts the error in the place of the
// reply.
func (y *Reply) Inject(op faultconn.Op) faultconn.Effect {
	y.followers.mu.Lock()
	defer y.followers.mu.Unlock()
	f, err := findRefusal(y.Protocol, y.Error)
	if err != nil {
		return faultconn.Effect{}
	}
	w, side := y.follow(op, f)
	if w == nil {
		return faultconn.Effect{}
	}
	if c, ok := w.extra.(*refusing); ok && side == replies && c.over > 0 && op.Offset >= c.over {
		delete(y.followers.conns, connection{op.Point, op.Conn})
		return faultconn.Effect{Close: true}
	}
	for i := range w.sides[side].spans {
		m := &w.sides[side].spans[i]
		if m.text == nil {
			continue
		}
		if m.start >= op.Offset+int64(len(op.Data)) {
			break
		}
		if m.start > op.Offset {
			return faultconn.Effect{Bytes: int(m.start - op.Offset)}
		}
		e := faultconn.Effect{Bytes: m.within(op)}
		switch {
		case side == replies && f.fatal && op.Kind == faultconn.OpRead:
			return faultconn.Effect{Bytes: len(op.Data), Replace: true, With: *m.text, Err: io.EOF}
		case m.start == op.Offset && *m.text != "":
			e.Replace, e.With = true, *m.text
		default:
			e.Discard = true
		}
		return e
	}
	return faultconn.Effect{}
}

// follow brings what is known of the connection up to date. The lock is held.
func (y *Reply) follow(op faultconn.Op, f refusal) (w *follower, side int) {
	return y.followers.follow(op, func() *Conversation { return open(y.Protocol) }, false, func(w *follower, side int, m *reach, r *rand.Rand, data []byte) {
		if w.extra == nil {
			w.extra = &refusing{}
		}
		y.choose(f, w.extra.(*refusing), side, m, r, data)
	})
}

// choose decides about a new message. What is to take its place goes to m.text.
func (y *Reply) choose(f refusal, c *refusing, side int, m *reach, r *rand.Rand, data []byte) {
	if side == requests {
		if text, ok := y.request(f, c, m, r, data); ok {
			m.text = &text
		}
		return
	}
	if f.greets && len(c.answers) == 0 && y.Protocol != "postgres" {
		if greeting(y.Protocol, c, m) && y.strikes("", m.number, r) {
			c.give(f, m, f.answer(y.Protocol, nil, 0))
		}
		return
	}
	if greeting(y.Protocol, c, m) || unasked(y.Protocol, m) {
		return
	}
	c.owed = max(0, c.owed-1)
	if len(c.answers) == 0 {
		return
	}
	if y.Protocol == "ldap" {
		id, _ := ldapHead(data)
		i := slices.IndexFunc(c.answers, func(a answer) bool { return a.id == id })
		if i >= 0 {
			c.give(f, m, c.answers[i].text)
			c.answers = slices.Delete(c.answers, i, i+1)
		}
		return
	}
	if c.answers[0].after > 0 {
		c.answers[0].after--
		return
	}
	c.give(f, m, c.answers[0].text)
	c.answers = c.answers[1:]
}

// give puts a refusal in the place of a reply.
func (c *refusing) give(f refusal, m *reach, text string) {
	m.text = &text
	if f.fatal {
		c.over = m.start + 1
	}
}

func (y *Reply) strikes(command string, number int, r *rand.Rand) bool {
	if !y.Messages.fits(number, command) {
		return false
	}
	i := y.followers.fit
	y.followers.fit++
	return y.Messages.strikes(i, r)
}

// request returns what goes to the server in the place of the request, if it is
// refused.
func (y *Reply) request(f refusal, c *refusing, m *reach, r *rand.Rand, data []byte) (text string, refused bool) {
	c.asked = true
	if y.Protocol == "postgres" {
		if c.batch { // up to its Sync, which stands in for all of it
			c.batch = m.command != "Sync"
			return "", c.batch
		}
		if f.greets && m.command == "StartupMessage" && y.strikes(m.command, m.number, r) {
			c.answers = append(c.answers, answer{text: f.answer(y.Protocol, data, 0)})
		}
	}
	if f.greets || !refusable(y.Protocol, m.command, data) {
		if y.Protocol == "smtp" && m.command == "message" {
			c.owed++
		}
		return "", false
	}
	if !pipelined(y.Protocol) {
		c.owed = 0
	}
	before := c.owed
	c.owed++
	if !y.strikes(m.command, m.number, r) {
		return "", false
	}
	for _, a := range c.answers { // counted from the one before
		before -= a.after + 1
	}
	id, _ := ldapHead(data)
	c.answers = append(c.answers, answer{text: f.answer(y.Protocol, data, y.RetryAfter), after: max(0, before), id: id})
	if y.Protocol == "postgres" && m.command != "Query" && m.command != "FunctionCall" {
		c.batch = true
		return "", true
	}
	return standIn(y.Protocol, data), true
}

// pipelined reports whether a protocol has one reply message for each request,
// in order, so that several may be under way.
func pipelined(protocol string) bool {
	switch protocol {
	case "http", "memcached", "redis", "smtp":
		return true
	}
	return false
}

// greeting reports whether a reply is the first word of a server that speaks
// first. A plan can find a connection long after that.
func greeting(protocol string, c *refusing, m *reach) bool {
	return m.number == 1 && !c.asked && (protocol == "smtp" || protocol == "mysql" && m.command == "Handshake")
}

// unasked reports whether a reply answers no request.
func unasked(protocol string, m *reach) bool {
	switch protocol {
	case "http":
		return len(m.command) == 3 && m.command[0] == '1' && m.command != "101"
	case "redis":
		return m.command == ">"
	case "postgres":
		switch m.command {
		case "NoticeResponse", "ParameterStatus", "NotificationResponse":
			return true
		}
	}
	return false
}
