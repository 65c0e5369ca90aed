package faultconn

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
)

// Replay puts a plan in force whose rules strike where the log says and nowhere
// else: at the same operations, byte offsets and exchanges of the same
// connections, with the same faults. The plan must be the one the log was
// written under; its conditions (Chance, Mix, When, Limits) are not asked again,
// but When.After and When.Age still give the time of an OpClock. Under another
// seed faults strike at the same places, but what they draw for themselves, such
// as garbage and jitter, is different.
//
// A plan and its seed repeat a run by themselves as long as nothing depends on
// which of several goroutines came first. A log repeats it all the same, and
// lines can be taken out of it to find those that matter.
//
// Places in a log count from where each rule came into force. Of a run with an
// [Injector.Update], the events of the rules that were there from the beginning
// can be replayed from the beginning; those of a rule that came later count from
// there, so leave them out, or replay them on a connection that is brought to
// that place first.
func (i *Injector) Replay(p Plan, log []Event) error {
	if err := p.Validate(); err != nil {
		return err
	}
	next := compile(p)
	next.log = map[logKey][]Event{}
	for _, e := range log {
		at := slices.IndexFunc(next.rules, func(r *rule) bool { return r.name == e.Rule })
		if at < 0 {
			return fmt.Errorf("faultconn: replay: rule %q is in the log but not in the plan", e.Rule)
		}
		if next.rules[at].share(e.Kind) < 0 {
			return fmt.Errorf("faultconn: replay: rule %q: fault %q is in the log but not in the plan", e.Rule, e.Kind)
		}
		key := logKey{e.Rule, e.Point, e.Conn}
		next.log[key] = append(next.log[key], e)
	}
	i.use(next, false)
	return nil
}

type logKey struct {
	rule  string
	point string
	conn  int
}

// share is the index of the fault of a kind; -1 if there is none.
func (r *rule) share(kind string) int {
	return slices.IndexFunc(r.shares, func(s Share) bool { return s.Fault.Kind() == kind })
}

// replayed is reach for a rule that follows a log.
func (s *stake) replayed(k OpKind, n int) (bool, int) {
	hit := s.unit(k).fired
	off := s.offset[direction(k)]
	for _, e := range s.log {
		if e.Op != k {
			continue
		}
		if e.Offset > off && k.data() {
			n = within(n, e.Offset-off)
			continue
		}
		hit = hit || s.logged(k) >= 0
	}
	return hit, n
}

// logged is the index of the log's next event at the current place; -1 if there
// is none.
func (s *stake) logged(k OpKind) int {
	return slices.IndexFunc(s.log, func(e Event) bool {
		return e.Op == k && (k == OpClock || e.Offset == s.offset[direction(k)] && e.Exchange == s.exchange)
	})
}

// recall takes what the log says of a unit in the place of a draw.
func (s *stake) recall(u *unit, k OpKind) {
	u.drawn, u.counted = true, true
	u.choice = -1
	if i := s.logged(k); i >= 0 {
		u.choice, u.hit = s.share(s.log[i].Kind), s.log[i].Hit
		s.log = slices.Delete(s.log, i, i+1)
	}
}

// MarshalJSON writes the event as one object, with durations such as "20s". What
// is zero is left out. A log is one event a line: json.Encoder writes it,
// [ReadLog] reads it.
func (e Event) MarshalJSON() ([]byte, error) {
	b, err := appendStruct([]byte{'{'}, reflect.ValueOf(e))
	if err != nil {
		return nil, fmt.Errorf("faultconn: event: %w", err)
	}
	return b, nil
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses fields it does not
// know.
func (e *Event) UnmarshalJSON(data []byte) error {
	fields, err := members(data, "")
	if err != nil {
		return fmt.Errorf("faultconn: event: %w", err)
	}
	*e = Event{}
	if err := Catalogue(nil).decodeStruct(reflect.ValueOf(e).Elem(), fields, ""); err != nil {
		return fmt.Errorf("faultconn: event: %w", err)
	}
	return nil
}

// ReadLog reads events, one JSON object a line; blank lines are skipped. An
// error names the line.
func ReadLog(r io.Reader) ([]Event, error) {
	var log []Event
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		var e Event
		if err := e.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		log = append(log, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("faultconn: read log: %w", err)
	}
	return log, nil
}
