package framing

import "bytes"

// Memcached is the text protocol, classic and meta commands (protocol.txt of
// memcached 1.6). The binary protocol is Raw. The command of a request is its
// first word, that of a reply too: "VALUE", "END", "STORED", "SERVER_ERROR",
// "HD".
func Memcached() *Conversation {
	return conversation(memcachedRequests{}, memcachedReplies{}, &shared{})
}

type memcachedRequests struct{}

func (memcachedRequests) scan(b []byte) (step, error) {
	f, st, err := memcachedLine(b)
	if err != nil || st.head == 0 {
		return st, err
	}
	switch st.command {
	case "set", "add", "replace", "append", "prepend", "cas":
		return st.value(f, 4)
	case "ms":
		return st.value(f, 2)
	}
	return st, nil
}

type memcachedReplies struct{}

func (memcachedReplies) scan(b []byte) (step, error) {
	f, st, err := memcachedLine(b)
	if err != nil || st.head == 0 {
		return st, err
	}
	switch st.command {
	case "VALUE": // others follow, and then END
		st.more = true
		return st.value(f, 3)
	case "VA":
		return st.value(f, 1)
	case "STAT", "ITEM":
		st.more = true
	}
	return st, nil
}

func memcachedLine(b []byte) ([][]byte, step, error) {
	if b[0] == 0x80 || b[0] == 0x81 {
		return nil, step{}, errNotThis
	}
	line, n := cutLine(b)
	if n == 0 {
		return nil, step{}, nil
	}
	f := bytes.Fields(line)
	if len(f) == 0 {
		return nil, step{}, errNotThis
	}
	st := step{head: n, command: word(f[0])}
	if st.command == "" {
		return nil, step{}, errNotThis
	}
	return f, st, nil
}

// value adds the value whose length is field i, and the newline after it.
func (st step) value(f [][]byte, i int) (step, error) {
	if len(f) <= i {
		// The server answers such a line with an error and reads no value.
		st.more = false
		return st, nil
	}
	n, err := size(f[i])
	if err != nil {
		return step{}, err
	}
	st.body = n + 2
	return st, nil
}
