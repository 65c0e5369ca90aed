package framing

import (
	"bytes"
	"errors"
	"strconv"
)

var errNotThis = errors.New("framing: not this protocol")

// Lines makes each line a message, its newline included. Its command is the
// first word.
func Lines() *Conversation { return conversation(lines{}, lines{}, &shared{}) }

type lines struct{}

func (lines) scan(b []byte) (step, error) {
	line, n := cutLine(b)
	return step{head: n, command: word(line)}, nil
}

// cutLine returns the first line of b without its ending, and its length with
// it; 0 if there is no whole line.
func cutLine(b []byte) (line []byte, n int) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, 0
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), i + 1
}

// word returns the first word of a line, if it can be the name of a command.
func word(line []byte) string {
	w, _, _ := bytes.Cut(line, []byte(" "))
	if len(w) > 32 {
		return ""
	}
	for _, c := range w {
		if c <= ' ' || c >= 0x7f {
			return ""
		}
	}
	return string(w)
}

// size parses a length, which is a plain decimal number and not absurd.
func size(b []byte) (int64, error) {
	if len(b) == 0 || b[0] < '0' || b[0] > '9' {
		return 0, errNotThis
	}
	n, err := strconv.ParseInt(string(b), 10, 48)
	if err != nil {
		return 0, errNotThis
	}
	return n, nil
}
