package framing

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// HTTPError is a response with this status, an empty body, and the end of the
// connection announced. A retryAfter above 0 adds a Retry-After field, in whole
// seconds, rounded up.
func HTTPError(status int, retryAfter time.Duration) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %03d %s\r\n", status, http.StatusText(status))
	if retryAfter > 0 {
		fmt.Fprintf(&b, "Retry-After: %d\r\n", (retryAfter+time.Second-1)/time.Second)
	}
	b.WriteString("Content-Length: 0\r\nConnection: close\r\n\r\n")
	return []byte(b.String())
}

// MemcachedError is a SERVER_ERROR. The usual text is "out of memory storing
// object".
func MemcachedError(text string) []byte {
	return []byte("SERVER_ERROR " + oneLine(text) + "\r\n")
}

// RedisError is an error reply. The first word of the text is its code, as in
// "LOADING Redis is loading the dataset in memory" or "BUSY Redis is busy
// running a script".
func RedisError(text string) []byte {
	return []byte("-" + oneLine(text) + "\r\n")
}

// SMTPError is a reply of one line, as in 421, "too busy, try again later".
func SMTPError(code int, text string) []byte {
	return fmt.Appendf(nil, "%03d %s\r\n", code, oneLine(text))
}

func oneLine(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}

// MySQLError is an ERR packet, as in 1040, "08004", "Too many connections", or
// 1053, "08S01", "Server shutdown in progress". The sequence number is 0 in the
// place of the handshake and else one more than that of the packet it answers;
// for the reply to a command that is 1. In the place of the handshake the state
// is left out, as the protocol has it.
func MySQLError(sequence byte, code uint16, state, message string) []byte {
	payload := binary.LittleEndian.AppendUint16([]byte{0xff}, code)
	if sequence > 0 {
		payload = append(payload, '#')
		payload = append(payload, (state + "HY000")[:5]...)
	}
	payload = append(payload, message...)
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), sequence}, payload...)
}

// PostgresError is an ErrorResponse, as in "FATAL", "53300", "sorry, too many
// clients already", or "FATAL", "57P03", "the database system is shutting down".
// After a FATAL one the server closes the connection. Codes are in appendix A
// of the PostgreSQL manual.
func PostgresError(severity, code, message string) []byte {
	b := []byte{'E', 0, 0, 0, 0}
	for _, f := range []struct {
		kind byte
		text string
	}{{'S', severity}, {'V', severity}, {'C', code}, {'M', message}} {
		b = append(b, f.kind)
		b = append(b, strings.ReplaceAll(f.text, "\x00", "")...)
		b = append(b, 0)
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-1))
	return b
}

// LDAPError is the response to the operation with this message ID, as in 51
// (busy) or 52 (unavailable). The response is the name of its kind as [LDAP]
// has it, such as "bindResponse" or "searchResDone". ID 0 and "extendedResp" make
// a Notice of Disconnection. It fails on names that are no response's.
func LDAPError(id int32, response string, result byte, message string) ([]byte, error) {
	var tag byte
	switch response {
	case "bindResponse", "searchResDone", "modifyResponse", "addResponse", "delResponse", "modDNResponse",
		"compareResponse", "extendedResp":
		for t, name := range ldapOps {
			if name == response {
				tag = t
			}
		}
	default:
		return nil, fmt.Errorf("framing: %q is not the name of an LDAP response with a result", response)
	}
	result3 := append([]byte{0x0a, 1, result}, ber(0x04, nil)...) // no matched DN
	op := append(result3, ber(0x04, []byte(message))...)
	if id == 0 && response == "extendedResp" {
		op = append(op, ber(0x8a, []byte("1.3.6.1.4.1.1466.20036"))...)
	}
	number := binary.BigEndian.AppendUint32(nil, uint32(id))
	for len(number) > 1 && number[0] == 0 && number[1] < 0x80 {
		number = number[1:]
	}
	return ber(0x30, append(ber(0x02, number), ber(tag, op)...)), nil
}

// ber encodes a value with its tag and length.
func ber(tag byte, value []byte) []byte {
	b := []byte{tag}
	if n := len(value); n < 0x80 {
		b = append(b, byte(n))
	} else {
		length := binary.BigEndian.AppendUint32(nil, uint32(n))
		for length[0] == 0 {
			length = length[1:]
		}
		b = append(append(b, 0x80|byte(len(length))), length...)
	}
	return append(b, value...)
}
