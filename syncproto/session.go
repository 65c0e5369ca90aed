package syncproto

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"
)

// Sessions hands out the tokens that follow a login and says later whose they
// are. It is called concurrently.
type Sessions interface {
	// Issue begins a session for a user. All fields of it are set.
	Issue(ctx context.Context, user string) (Session, error)

	// Check returns the session of a token, at least its ID, if it belongs to
	// that user and has not ended. An error that is [ErrNoSession] becomes a 401, on which old
	// clients stop for good; so return it only when it is certain. Any other
	// error, such as that of a session store out of reach, becomes a 503. A
	// Token in the session is one that the client should use from now on; the
	// handler sends it in the header X-Sync-Authorization.
	Check(ctx context.Context, user, token string) (Session, error)
}

// A Session is one login of one user: what one of their devices has. One that is
// not as it has to be is a 503, and an Event says what is wrong with it.
type Session struct {
	// ID is the same for all tokens of the session, and unlike those of others,
	// also of the same user's; otherwise Marks of one device would count for
	// another. It is no secret. At most 255 bytes, and not empty.
	ID string
	// Token is what the client shows in each request: any bytes, at most 1024.
	Token string
	// Expires is when the token ends, as the client is told (valid-until).
	Expires time.Time
}

const (
	maxSessionID = 255
	maxToken     = 1024
)

// check tells what is wrong with what Sessions return.
func (s Session) check(issued bool) error {
	switch {
	case s.ID == "":
		return errors.New("a Session without an ID")
	case len(s.ID) > maxSessionID:
		return fmt.Errorf("a Session whose ID has %d bytes: at most %d", len(s.ID), maxSessionID)
	case len(s.Token) > maxToken:
		return fmt.Errorf("a Session whose Token has %d bytes: at most %d", len(s.Token), maxToken)
	case issued && s.Token == "":
		return errors.New("a Session without a Token")
	case issued && s.Expires.IsZero():
		return errors.New("a Session whose Expires is not set")
	}
	return nil
}

// SignedSessions are [Sessions] that nothing has to remember: the token says
// when it ends and carries a signature (HMAC-SHA-256) over that, its ID and
// its user, compared in constant time. All servers with the same key accept
// each other's. A single session cannot be revoked; a new key ends them all.
type SignedSessions struct {
	// Keys sign and check: the first signs, all check, so that a key is changed
	// by putting a new one in front and taking the old one out a TTL later.
	// At least one, of at least 32 random bytes. They must not change while
	// the sessions are in use; make new ones.
	Keys [][]byte
	// TTL is how long a token is good for. Zero means 30 days; less than a day
	// is an error, for the first clients poll seldom and never log in again by
	// themselves. A client that uses a token in the second half of its time is
	// given a new one of the same session, and so stays logged in as long as
	// it comes at least every TTL/2.
	TTL time.Duration

	macs sync.Pool // of *mac, with the first key
}

const (
	defaultTTL = 30 * 24 * time.Hour
	minTTL     = 24 * time.Hour
	minKey     = 32

	tokenVersion = 1
	tokenHead    = 1 + 8 + 16 // version, end in Unix seconds, ID
	tokenSize    = tokenHead + sha256.Size
)

// check is asked by New.
func (s *SignedSessions) check() error {
	if len(s.Keys) == 0 {
		return errors.New("syncproto: SignedSessions.Keys is empty: give at least one key of 32 random bytes")
	}
	for i, k := range s.Keys {
		if len(k) < minKey {
			return fmt.Errorf("syncproto: SignedSessions.Keys[%d] has %d bytes: want at least %d random ones", i, len(k), minKey)
		}
	}
	if s.TTL != 0 && s.TTL < minTTL {
		return fmt.Errorf("syncproto: SignedSessions.TTL %v: want zero or at least %v", s.TTL, minTTL)
	}
	return nil
}

func (s *SignedSessions) ttl() time.Duration {
	if s.TTL == 0 {
		return defaultTTL
	}
	return s.TTL
}

// Issue implements [Sessions].
func (s *SignedSessions) Issue(_ context.Context, user string) (Session, error) {
	if err := s.check(); err != nil {
		return Session{}, err
	}
	var id [16]byte
	rand.Read(id[:]) // never fails
	return s.issue(user, id[:]), nil
}

func (s *SignedSessions) issue(user string, id []byte) Session {
	end := time.Now().Add(s.ttl()).Truncate(time.Second)
	tok := make([]byte, 0, tokenSize)
	tok = append(tok, tokenVersion)
	tok = binary.BigEndian.AppendUint64(tok, uint64(end.Unix()))
	tok = append(tok, id...)
	sum := s.sign(s.Keys[0], string(tok), user)
	tok = append(tok, sum[:]...)
	return Session{ID: string(id), Token: string(tok), Expires: end}
}

// Check implements [Sessions].
func (s *SignedSessions) Check(_ context.Context, user, token string) (Session, error) {
	if len(token) != tokenSize || token[0] != tokenVersion {
		return Session{}, ErrNoSession
	}
	head, mac := token[:tokenHead], token[tokenHead:]
	signed := false
	for _, k := range s.Keys {
		sum := s.sign(k, head, user)
		signed = hmac.Equal([]byte(mac), sum[:]) || signed
	}
	end := time.Unix(int64(binary.BigEndian.Uint64([]byte(head[1:9]))), 0)
	left := time.Until(end)
	if !signed || left <= 0 {
		return Session{}, ErrNoSession
	}
	id := head[9:]
	if left < s.ttl()/2 {
		return s.issue(user, []byte(id)), nil
	}
	return Session{ID: id, Expires: end}, nil
}

// mac is what it takes to sign, kept for the next time.
type mac struct {
	hash hash.Hash
	buf  []byte
}

// sign covers the user after a head of fixed length, and so no other split of
// the same bytes has the same signature.
func (s *SignedSessions) sign(key []byte, head, user string) (sum [sha256.Size]byte) {
	var m *mac
	if &key[0] == &s.Keys[0][0] { // which nearly all tokens are signed with
		if m, _ = s.macs.Get().(*mac); m != nil {
			m.hash.Reset()
		}
		defer func() { s.macs.Put(m) }()
	}
	if m == nil {
		m = &mac{hash: hmac.New(sha256.New, key)}
	}
	m.buf = append(append(m.buf[:0], head...), user...)
	m.hash.Write(m.buf)
	m.buf = m.hash.Sum(m.buf[:0])
	copy(sum[:], m.buf)
	return sum
}
