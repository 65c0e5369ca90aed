package framing

import "encoding/binary"

// MySQL is the client/server protocol of MySQL and MariaDB, without
// compression. The commands of requests are those of the manual for the common
// ones ("COM_QUERY", "COM_STMT_EXECUTE"), "COM_" and the number for others,
// "HandshakeResponse", "SSLRequest", and "" for packets that continue one. Those
// of replies are "Handshake", "OK", "ERR", "EOF", and "" for what only the
// request would explain, such as rows. It can begin at the first command of a
// connection that is logged in. After an SSLRequest both directions are
// Raw.
func MySQL() *Conversation {
	w := &mysqlWire{}
	return conversation(&mysqlRequests{wire: w}, &mysqlReplies{}, &w.shared)
}

type mysqlWire struct{ shared }

const (
	mysqlMaxPacket = 1<<24 - 1 // another packet of the same message follows
	clientSSL      = 1 << 11
)

type mysqlRequests struct {
	wire    *mysqlWire
	started bool
	within  bool
}

func (r *mysqlRequests) scan(b []byte) (step, error) {
	st, kind, ok := mysqlPacket(b, r.within)
	if !ok {
		return st, nil
	}
	if b[3] == 0 {
		r.started = true // a command: the connection was logged in before
	}
	if !r.started {
		// The length and the flags tell a request for encryption.
		if len(b) < 6 {
			return step{}, nil
		}
		if b[3] != 1 || st.body < 31 {
			return step{}, errNotThis
		}
		st.head, st.body = 6, st.body-1
		st.command = "HandshakeResponse"
		if binary.LittleEndian.Uint16(b[4:])&clientSSL != 0 && st.body == 30 {
			st.command = "SSLRequest"
			r.wire.raw = true
		}
		r.started = true
	} else if b[3] == 0 && !r.within {
		st.command = mysqlCommand(kind)
	}
	r.within = st.more
	return st, nil
}

type mysqlReplies struct {
	started bool
	within  bool
}

func (r *mysqlReplies) scan(b []byte) (step, error) {
	st, kind, ok := mysqlPacket(b, r.within)
	if !ok {
		return st, nil
	}
	if !r.within {
		switch {
		case !r.started && b[3] == 0 && kind != 10 && kind != 0xff:
			return step{}, errNotThis
		case !r.started && b[3] == 0 && kind == 10:
			st.command = "Handshake"
		case kind == 0xff:
			st.command = "ERR"
		case kind == 0xfe && st.body < 9:
			st.command = "EOF"
		case kind == 0 && st.body >= 6 && b[3] > 0:
			st.command = "OK"
		}
	}
	r.started, r.within = true, st.more
	return st, nil
}

// mysqlPacket reads a header and the first byte of the payload. It is false if
// they are not there; within is that the packet continues another.
func mysqlPacket(b []byte, within bool) (st step, kind byte, ok bool) {
	section := Head
	if within {
		section = Body
	}
	if len(b) < 4 {
		return step{section: section}, 0, false
	}
	length := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
	if length == 0 || within {
		return step{head: 4, body: length, more: length == mysqlMaxPacket, section: section}, 0, true
	}
	if len(b) < 5 {
		return step{section: section}, 0, false
	}
	return step{head: 5, body: length - 1, more: length == mysqlMaxPacket, section: section}, b[4], true
}

func mysqlCommand(kind byte) string {
	const digits = "0123456789"
	if name, ok := mysqlCommands[kind]; ok {
		return "COM_" + name
	}
	return "COM_" + string([]byte{digits[kind/100], digits[kind/10%10], digits[kind%10]})
}

var mysqlCommands = map[byte]string{
	1: "QUIT", 2: "INIT_DB", 3: "QUERY", 4: "FIELD_LIST", 9: "STATISTICS", 13: "DEBUG", 14: "PING", 17: "CHANGE_USER",
	18: "BINLOG_DUMP", 22: "STMT_PREPARE", 23: "STMT_EXECUTE", 24: "STMT_SEND_LONG_DATA", 25: "STMT_CLOSE",
	26: "STMT_RESET", 27: "SET_OPTION", 28: "STMT_FETCH", 31: "RESET_CONNECTION",
}
