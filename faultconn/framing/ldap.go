package framing

import "bytes"

// LDAP is LDAP version 3 (RFC 4511). Commands are the names that the RFC gives
// the operations: "bindRequest", "searchResEntry". After StartTLS has succeeded
// both directions are Raw.
func LDAP() *Conversation {
	w := &ldapWire{}
	return conversation(&ldapScanner{wire: w}, &ldapScanner{wire: w, replies: true}, &w.shared)
}

type ldapWire struct {
	shared
	startTLS []byte // message ID of a StartTLS request without an answer
}

type ldapScanner struct {
	wire    *ldapWire
	replies bool
}

var startTLS = []byte("1.3.6.1.4.1.1466.20037")

func (l *ldapScanner) scan(b []byte) (step, error) {
	if b[0] != 0x30 {
		return step{}, errNotThis
	}
	length, n, err := berLength(b[1:])
	if err != nil || n == 0 {
		return step{}, err
	}
	start := 1 + n
	end := start + length
	// The message ID, and the tag of the operation.
	if len(b) < start+2 {
		return step{}, nil
	}
	if b[start] != 0x02 || b[start+1] == 0 || b[start+1] > 8 {
		return step{}, errNotThis
	}
	op := start + 2 + int(b[start+1])
	if op >= end {
		return step{}, errNotThis
	}
	if len(b) <= op {
		return step{}, nil
	}
	st := step{head: op + 1, body: int64(end - op - 1), command: ldapOps[b[op]]}
	if st.command == "" {
		return step{}, errNotThis
	}
	// Extended operations are looked at whole: one of them starts TLS.
	if b[op] == 0x77 || b[op] == 0x78 && l.wire.startTLS != nil {
		if end <= maxHead/2 && len(b) < end {
			return step{}, nil
		}
		if end <= len(b) {
			st.head, st.body = end, 0
			l.extended(b[start+2:op], b[op:end], &st)
		}
	}
	return st, nil
}

// extended looks at an ExtendedRequest or ExtendedResponse.
func (l *ldapScanner) extended(id, op []byte, st *step) {
	if !l.replies {
		if bytes.Contains(op, startTLS) {
			l.wire.startTLS = bytes.Clone(id)
		}
		return
	}
	if !bytes.Equal(id, l.wire.startTLS) {
		return
	}
	l.wire.startTLS = nil
	_, n, err := berLength(op[1:])
	// The result code is an ENUMERATED of one byte; 0 is success.
	if code := 1 + n; err == nil && n > 0 && len(op) >= code+3 && op[code] == 0x0a && op[code+1] == 1 && op[code+2] == 0 {
		l.wire.raw, st.raw = true, true
	}
}

// berLength reads a length in the definite form, the only one LDAP allows, and
// how many bytes that took; 0 if they are not all there.
func berLength(b []byte) (length, n int, err error) {
	if len(b) == 0 {
		return 0, 0, nil
	}
	if b[0] < 0x80 {
		return int(b[0]), 1, nil
	}
	n = int(b[0] & 0x7f)
	if n == 0 || n > 4 {
		return 0, 0, errNotThis
	}
	if len(b) < 1+n {
		return 0, 0, nil
	}
	for _, c := range b[1 : 1+n] {
		length = length<<8 | int(c)
	}
	if length > 1<<30 {
		return 0, 0, errNotThis
	}
	return length, 1 + n, nil
}

var ldapOps = map[byte]string{
	0x60: "bindRequest", 0x61: "bindResponse", 0x42: "unbindRequest", 0x63: "searchRequest", 0x64: "searchResEntry",
	0x65: "searchResDone", 0x73: "searchResRef", 0x66: "modifyRequest", 0x67: "modifyResponse", 0x68: "addRequest",
	0x69: "addResponse", 0x4a: "delRequest", 0x6b: "delResponse", 0x6c: "modDNRequest", 0x6d: "modDNResponse",
	0x6e: "compareRequest", 0x6f: "compareResponse", 0x50: "abandonRequest", 0x77: "extendedReq", 0x78: "extendedResp",
	0x79: "intermediateResponse",
}
