package framing

import (
	"bytes"
	"strings"
)

// Redis is RESP, versions 2 and 3, and inline commands. A value of RESP 3
// that is streamed in pieces of unknown number makes the stream Raw. The
// command of a request is its first word in upper case. That of a reply is "OK"
// or another simple string, the code of an error ("ERR", "LOADING"), or the
// type byte of anything else.
func Redis() *Conversation {
	return conversation(&redisScanner{requests: true}, &redisScanner{}, &shared{})
}

type redisScanner struct {
	requests bool
	left     int64 // values of the message still to come
	within   bool
	named    bool // the command is known
}

func (r *redisScanner) scan(b []byte) (step, error) {
	left := r.left
	if !r.within {
		left = 1
	}
	section := Head
	if r.within && (r.named || !r.requests) {
		section = Body
	}
	line, n := cutLine(b)
	if n == 0 {
		return step{section: section}, nil
	}
	if r.requests && !r.within && b[0] != '*' {
		w := word(line)
		if w == "" {
			return step{}, errNotThis
		}
		return step{head: n, command: strings.ToUpper(w)}, nil
	}
	if len(line) == 0 {
		return step{}, errNotThis
	}
	st := step{head: n, section: section}
	kind, arg := line[0], line[1:]
	switch kind {
	case '+', '-', ':', '_', '#', ',', '(':
		left--
	case '$', '=', '!':
		left--
		if bytes.Equal(arg, []byte("-1")) {
			break
		}
		length, err := size(arg)
		if err != nil {
			return step{}, err
		}
		if r.requests && !r.named && length <= 32 {
			// The name of the command counts as head.
			if int64(len(b)) < int64(n)+length+2 {
				return step{}, nil
			}
			st.command = strings.ToUpper(word(b[n : n+int(length)]))
			st.head = n + int(length) + 2
		} else {
			st.body = length + 2
		}
		r.named = true
	case '*', '~', '>', '%', '|':
		if bytes.Equal(arg, []byte("-1")) {
			left--
			break
		}
		count, err := size(arg)
		if err != nil || count > 1<<32 {
			return step{}, errNotThis
		}
		switch kind {
		case '%':
			left += 2*count - 1
		case '|': // attributes of the value that follows
			left += 2 * count
		default:
			left += count - 1
		}
	default:
		return step{}, errNotThis
	}
	if !r.within && !r.requests {
		st.command = string(kind)
		if kind == '+' || kind == '-' {
			st.command = word(arg)
		}
	}
	if left > 1<<40 {
		return step{}, errNotThis
	}
	r.left, r.within = left, left > 0
	st.more = left > 0
	if !r.within {
		r.named = false
	}
	return st, nil
}
