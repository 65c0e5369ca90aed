package framing

import (
	"encoding/binary"
	"errors"
)

// LengthPrefix describes messages that begin with their length. The zero value
// is not usable: Size must be 1, 2, 4 or 8.
type LengthPrefix struct {
	Size         int  // bytes of the length
	LittleEndian bool // least significant byte first
	Inclusive    bool // the length counts the prefix itself
}

// Conversation makes both directions consist of such messages. They have no
// commands.
func (l LengthPrefix) Conversation() (*Conversation, error) {
	switch l.Size {
	case 1, 2, 4, 8:
		return conversation(l, l, &shared{}), nil
	}
	return nil, errors.New("framing: LengthPrefix.Size must be 1, 2, 4 or 8")
}

func (l LengthPrefix) scan(b []byte) (step, error) {
	if len(b) < l.Size {
		return step{}, nil
	}
	var buf [8]byte
	var n uint64
	if l.LittleEndian {
		copy(buf[:], b[:l.Size])
		n = binary.LittleEndian.Uint64(buf[:])
	} else {
		copy(buf[8-l.Size:], b[:l.Size])
		n = binary.BigEndian.Uint64(buf[:])
	}
	if l.Inclusive {
		if n < uint64(l.Size) {
			return step{}, errNotThis
		}
		n -= uint64(l.Size)
	}
	if n > 1<<48 {
		return step{}, errNotThis
	}
	return step{head: l.Size, body: int64(n)}, nil
}
