package sqlstore

import (
	"encoding/json"
	"fmt"

	"github.com/brownout-go/brownout/syncproto"
)

// The marker of a deletion is stored as JSON in a column of bytes: clients may
// put any text in it, and not every database keeps every text.

func encodeDeletion(d *syncproto.Deletion) ([]byte, error) {
	if d == nil {
		return nil, nil
	}
	return json.Marshal(d)
}

func decodeDeletion(text []byte) (*syncproto.Deletion, error) {
	if text == nil {
		return nil, nil
	}
	d := new(syncproto.Deletion)
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("column deleted: %w", err)
	}
	return d, nil
}
