package framing

import "strings"

// standIn is a request that changes nothing and gets a reply of one message.
// It goes to the server in the place of one that is refused.
func standIn(protocol string, head []byte) string {
	switch protocol {
	case "http":
		return "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
	case "memcached":
		return "version\r\n"
	case "redis":
		return "*1\r\n$4\r\nPING\r\n"
	case "mysql":
		return "\x01\x00\x00\x00\x0e" // COM_PING
	case "postgres":
		return "S\x00\x00\x00\x04" // Sync
	case "smtp":
		return "NOOP\r\n"
	case "ldap":
		// Does the root have the class top?
		id, _ := ldapHead(head)
		ava := append(ber(0x04, []byte("objectClass")), ber(0x04, []byte("top"))...)
		compare := append(ber(0x04, nil), ber(0x30, ava)...)
		return string(ber(0x30, append(ber(0x02, ldapID(id)), ber(0x6e, compare)...)))
	}
	return ""
}

// refusable reports whether a request can be refused in this way: it has a
// reply, and the server is in a state to take the stand-in.
func refusable(protocol, command string, head []byte) bool {
	switch protocol {
	case "http":
		return command != "CONNECT"
	case "memcached":
		line, n := cutLine(head)
		return n > 0 && command != "quit" && command != "mn" && !hasWord(line, "noreply") && !hasWord(line, "q")
	case "redis":
		switch command {
		case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR":
			return false
		}
		return true
	case "mysql":
		switch command {
		case "COM_QUIT", "COM_STMT_CLOSE", "COM_STMT_SEND_LONG_DATA":
			return false
		}
		return len(command) > 4 && command[:4] == "COM_"
	case "postgres":
		switch command {
		case "Query", "FunctionCall", "Parse", "Bind", "Execute", "Describe", "Close":
			return true
		}
		return false
	case "smtp":
		return command != "message" && command != "AUTH" && command != "BDAT"
	case "ldap":
		_, tag := ldapHead(head)
		return tag != 0 && tag != 0x42 && tag != 0x50
	}
	return false
}

func hasWord(line []byte, want string) bool {
	for i, w := range strings.Fields(string(line)) {
		if i > 0 && w == want {
			return true
		}
	}
	return false
}

// ldapHead reads the message ID and the tag of the operation; 0 if they are not
// there.
func ldapHead(b []byte) (id int32, tag byte) {
	if len(b) < 2 || b[0] != 0x30 {
		return 0, 0
	}
	_, n, err := berLength(b[1:])
	at := 1 + n
	if err != nil || n == 0 || len(b) < at+2 || b[at] != 0x02 || b[at+1] > 4 || len(b) <= at+2+int(b[at+1]) {
		return 0, 0
	}
	end := at + 2 + int(b[at+1])
	for _, c := range b[at+2 : end] {
		id = id<<8 | int32(c)
	}
	return id, b[end]
}

// ldapID encodes a message ID.
func ldapID(id int32) []byte {
	b := []byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
	for len(b) > 1 && b[0] == 0 && b[1] < 0x80 {
		b = b[1:]
	}
	return b
}
