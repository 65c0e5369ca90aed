package framing

import (
	"bytes"
	"strings"
)

// SMTP is SMTP (RFC 5321) with PIPELINING, CHUNKING and AUTH. The command of a
// request is its verb in upper case, "AUTH" also for the lines that continue
// it, and "message" for the mail after DATA; that of a reply is its code. After
// STARTTLS has been accepted both directions are Raw.
func SMTP() *Conversation {
	w := &smtpWire{}
	return conversation(&smtpRequests{wire: w}, &smtpReplies{wire: w}, &w.shared)
}

type smtpWire struct {
	shared
	mail  bool     // the server waits for the mail
	auth  bool     // and for a line of AUTH
	verbs []string // of the commands that have no reply yet
}

type smtpRequests struct {
	wire   *smtpWire
	within bool // the mail
}

func (r *smtpRequests) scan(b []byte) (step, error) {
	section := Head
	if r.within || r.wire.mail {
		section = Body
	}
	line, n := cutLine(b)
	if n == 0 {
		return step{section: section}, nil
	}
	if section == Body {
		r.wire.mail = false
		r.within = !bytes.Equal(line, []byte("."))
		if !r.within {
			r.expect("message")
		}
		return step{head: n, more: r.within, command: "message", section: Body}, nil
	}
	st := step{head: n, command: strings.ToUpper(word(line))}
	switch {
	case r.wire.auth:
		r.wire.auth, st.command = false, "AUTH"
	case st.command == "":
		return step{}, errNotThis
	case st.command == "BDAT":
		f := bytes.Fields(line)
		if len(f) < 2 {
			break
		}
		length, err := size(f[1])
		if err != nil {
			return step{}, err
		}
		st.body = length
	}
	r.expect(st.command)
	return st, nil
}

// expect notes that a reply to the command is due.
func (r *smtpRequests) expect(verb string) {
	if len(r.wire.verbs) < maxPipelined {
		r.wire.verbs = append(r.wire.verbs, verb)
	}
}

type smtpReplies struct {
	wire    *smtpWire
	within  bool
	greeted bool
}

func (r *smtpReplies) scan(b []byte) (step, error) {
	section := Head
	if r.within {
		section = Body
	}
	line, n := cutLine(b)
	if n == 0 {
		return step{section: section}, nil
	}
	if len(line) < 3 || !digits(line[:3]) || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return step{}, errNotThis
	}
	st := step{head: n, section: section, command: string(line[:3])}
	if st.more = len(line) > 3 && line[3] == '-'; st.more {
		r.within = true
		return st, nil
	}
	r.within = false
	verb := ""
	if !r.greeted {
		r.greeted = true
	} else if v := r.wire.verbs; len(v) > 0 {
		verb, r.wire.verbs = v[0], v[1:]
	}
	switch {
	case st.command == "354":
		r.wire.mail = true
	case st.command == "334":
		r.wire.auth = true
	case verb == "STARTTLS" && st.command == "220":
		r.wire.raw, st.raw = true, true
	}
	return st, nil
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
