package framing

import (
	"bytes"
	"strconv"
)

// HTTP is HTTP/1.0 and HTTP/1.1 (RFC 9112), with pipelining, chunked bodies
// and bodies that end with the connection. After 101 Switching Protocols, and
// after CONNECT has succeeded, both directions are Raw; so is HTTP/2. The
// command of a request is its method, that of a response its status code.
func HTTP() *Conversation {
	w := &httpWire{}
	return conversation(&httpScanner{wire: w}, &httpScanner{wire: w, replies: true}, &w.shared)
}

// maxPipelined bounds the requests that wait for their replies.
const maxPipelined = 10_000

// httpWire is what responses need to know of requests.
type httpWire struct {
	shared
	methods []string // of the requests that have no final response yet
}

type httpScanner struct {
	wire    *httpWire
	replies bool
	phase   httpPhase
}

type httpPhase uint8

const (
	atStart httpPhase = iota
	atChunk
	atTrailer
)

func (h *httpScanner) scan(b []byte) (step, error) {
	switch h.phase {
	case atChunk:
		return h.chunk(b)
	case atTrailer:
		return h.trailer(b)
	}
	// A client may send an empty line after a body (RFC 9112, 2.2).
	blank := 0
	for !h.replies && blank < len(b) && (b[blank] == '\r' || b[blank] == '\n') {
		blank++
	}
	if len(b) > blank && !printable(b[blank]) {
		return step{}, errNotThis
	}
	first, n := cutLine(b[blank:])
	if n == 0 {
		return step{}, nil
	}
	end := headEnd(b[blank:])
	var st step
	var err error
	if h.replies {
		st, err = h.response(first, b[blank:blank+end])
	} else {
		st, err = h.request(first, b[blank:blank+end])
	}
	if err != nil || end == 0 {
		return step{}, err
	}
	st.head = blank + end
	return st, nil
}

func printable(c byte) bool { return c >= ' ' && c < 0x7f }

// headEnd is the length of the head with its empty line; 0 if it is not there.
func headEnd(b []byte) int {
	for i := 0; ; {
		line, n := cutLine(b[i:])
		if n == 0 {
			return 0
		}
		i += n
		if len(line) == 0 {
			return i
		}
	}
}

// request is called with an empty head while it is not complete, to find out
// early that this is no HTTP.
func (h *httpScanner) request(first, head []byte) (step, error) {
	f := bytes.Fields(first)
	if len(f) != 3 || !bytes.HasPrefix(f[2], []byte("HTTP/1.")) {
		return step{}, errNotThis
	}
	if len(head) == 0 {
		return step{}, nil
	}
	method := string(f[0])
	if len(h.wire.methods) == maxPipelined {
		return step{}, errNotThis
	}
	h.wire.methods = append(h.wire.methods, method)
	st := step{command: method}
	chunked, length, err := bodyFields(head)
	switch {
	case err != nil:
		return step{}, err
	case chunked:
		h.phase, st.more = atChunk, true
	case length > 0:
		st.body = length
	}
	return st, nil
}

func (h *httpScanner) response(first, head []byte) (step, error) {
	f := bytes.Fields(first)
	if len(f) < 2 || !bytes.HasPrefix(f[0], []byte("HTTP/1.")) || len(f[1]) != 3 {
		return step{}, errNotThis
	}
	code, err := strconv.Atoi(string(f[1]))
	if err != nil || code < 100 {
		return step{}, errNotThis
	}
	if len(head) == 0 {
		return step{}, nil
	}
	st := step{command: string(f[1])}
	if code < 200 && code != 101 {
		return st, nil // the response is still to come
	}
	method := ""
	if m := h.wire.methods; len(m) > 0 {
		method, h.wire.methods = m[0], m[1:]
	}
	chunked, length, err := bodyFields(head)
	switch {
	case err != nil:
		return step{}, err
	case code == 101, method == "CONNECT" && code < 300:
		h.wire.raw, st.raw = true, true
	case method == "HEAD", code == 204, code == 304:
	case chunked:
		h.phase, st.more = atChunk, true
	case length < 0:
		st.body = rest
	default:
		st.body = length
	}
	return st, nil
}

// bodyFields reads the fields that say how long the body is; length is -1 if
// none does.
func bodyFields(head []byte) (chunked bool, length int64, err error) {
	length = -1
	for {
		line, n := cutLine(head)
		head = head[n:]
		if len(line) == 0 {
			return chunked, length, nil
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			n, err := size(value)
			if err != nil || length >= 0 && n != length {
				return false, 0, errNotThis
			}
			length = n
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			i := bytes.LastIndexByte(value, ',')
			chunked = bytes.EqualFold(bytes.TrimSpace(value[i+1:]), []byte("chunked"))
		}
	}
}

// chunk reads a chunk's size; its data and their newline are the body.
func (h *httpScanner) chunk(b []byte) (step, error) {
	line, n := cutLine(b)
	if n == 0 {
		return step{section: Body}, nil
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 47)
	if err != nil {
		return step{}, errNotThis
	}
	if size == 0 {
		h.phase = atTrailer
		return step{head: n, more: true, section: Body}, nil
	}
	return step{head: n, body: int64(size) + 2, more: true, section: Body}, nil
}

// trailer reads fields after the last chunk up to the empty line.
func (h *httpScanner) trailer(b []byte) (step, error) {
	line, n := cutLine(b)
	if n > 0 && len(line) == 0 {
		h.phase = atStart
		return step{head: n, section: Body}, nil
	}
	return step{head: n, more: true, section: Body}, nil
}
