package memcache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// sealSize is how many bytes of a SHA-256 stand in front of a value.
const sealSize = 16

// errValue is a value that is not what was put there under that key.
var errValue = errors.New("memcache: the value is damaged, or of another key or version")

// seal makes the value of a key, by which open knows it. It is no secret: it
// tells accidents, not malice.
func seal(key string, body []byte) []byte {
	return append(sum(key, body), body...)
}

// open returns what was sealed for the key.
func open(key string, value []byte) ([]byte, error) {
	if len(value) < sealSize || !bytes.Equal(value[:sealSize], sum(key, value[sealSize:])) {
		return nil, errValue
	}
	return value[sealSize:], nil
}

// sum begins with the version of the values' form.
func sum(key string, body []byte) []byte {
	h := sha256.New()
	h.Write([]byte{1})
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(key))))
	h.Write([]byte(key))
	h.Write(body)
	return h.Sum(nil)[:sealSize]
}
