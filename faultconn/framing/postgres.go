package framing

import "encoding/binary"

// Postgres is the frontend/backend protocol of PostgreSQL, version 3. Commands
// are the names that its manual gives the messages: "Query", "Parse",
// "ReadyForQuery", "ErrorResponse". It can begin at the first query of a
// connection that is logged in. Once encryption has been agreed on both
// directions are Raw.
func Postgres() *Conversation {
	w := &postgresWire{}
	return conversation(&postgresRequests{wire: w}, &postgresReplies{wire: w}, &w.shared)
}

type postgresWire struct {
	shared
	asked int // requests for encryption that have no answer yet
}

// Codes that take the place of a version in the first message of a client.
const (
	postgresCancel = 80877102
	postgresSSL    = 80877103
	postgresGSS    = 80877104
)

type postgresRequests struct {
	wire    *postgresWire
	started bool
}

func (r *postgresRequests) scan(b []byte) (step, error) {
	// The first message is the only one without a type, but for a connection
	// that was logged in before.
	if r.started || b[0] != 0 {
		r.started = true
		return postgresMessage(b, postgresFrontend)
	}
	if len(b) < 8 {
		return step{}, nil
	}
	length, code := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if length < 8 || length > 1<<20 {
		return step{}, errNotThis
	}
	st := step{head: 8, body: int64(length) - 8}
	switch code {
	case postgresCancel:
		st.command = "CancelRequest"
	case postgresSSL:
		st.command = "SSLRequest"
		r.wire.asked++
	case postgresGSS:
		st.command = "GSSENCRequest"
		r.wire.asked++
	default:
		if code>>16 != 3 {
			return step{}, errNotThis
		}
		st.command = "StartupMessage"
		r.started = true
	}
	return st, nil
}

type postgresReplies struct{ wire *postgresWire }

func (r *postgresReplies) scan(b []byte) (step, error) {
	if r.wire.asked == 0 {
		return postgresMessage(b, postgresBackend)
	}
	st := step{head: 1, command: "EncryptionResponse"}
	switch b[0] {
	case 'S', 'G':
		r.wire.raw, st.raw = true, true
	case 'N':
	default: // a server that does not know the request sends an ErrorResponse
		var err error
		if st, err = postgresMessage(b, postgresBackend); err != nil || st.head == 0 {
			return st, err
		}
	}
	r.wire.asked--
	return st, nil
}

func postgresMessage(b []byte, names map[byte]string) (step, error) {
	name, ok := names[b[0]]
	if !ok {
		return step{}, errNotThis
	}
	if len(b) < 5 {
		return step{}, nil
	}
	length := binary.BigEndian.Uint32(b[1:])
	if length < 4 || length > 1<<30 {
		return step{}, errNotThis
	}
	return step{head: 5, body: int64(length) - 4, command: name}, nil
}

var postgresFrontend = map[byte]string{
	'B': "Bind", 'C': "Close", 'd': "CopyData", 'c': "CopyDone", 'f': "CopyFail", 'D': "Describe", 'E': "Execute",
	'H': "Flush", 'F': "FunctionCall", 'P': "Parse", 'p': "PasswordMessage", 'Q': "Query", 'S': "Sync", 'X': "Terminate",
}

var postgresBackend = map[byte]string{
	'R': "Authentication", 'K': "BackendKeyData", '2': "BindComplete", '3': "CloseComplete", 'C': "CommandComplete",
	'd': "CopyData", 'c': "CopyDone", 'G': "CopyInResponse", 'H': "CopyOutResponse", 'W': "CopyBothResponse",
	'D': "DataRow", 'I': "EmptyQueryResponse", 'E': "ErrorResponse", 'V': "FunctionCallResponse",
	'v': "NegotiateProtocolVersion", 'n': "NoData", 'N': "NoticeResponse", 'A': "NotificationResponse",
	't': "ParameterDescription", 'S': "ParameterStatus", '1': "ParseComplete", 's': "PortalSuspended",
	'Z': "ReadyForQuery", 'T': "RowDescription",
}
