package syncproto

import (
	"encoding/json"
	"testing"
)

// TestHeadUUID: whatever a store takes for a UUID, the page that begins with it is
// JSON.
func TestHeadUUID(t *testing.T) {
	for _, uuid := range []string{"", "0b8e1a52-5d3c-4f5e-9d43-0d6c1a1f2b3c", `a"b\c`, `\`} {
		page := append(head(nil, 1, uuid), "]}"...)
		var got struct{ UUID *string }
		if err := json.Unmarshal(page, &got); err != nil {
			t.Errorf("%s: %v", page, err)
			continue
		}
		if uuid == "" != (got.UUID == nil) || got.UUID != nil && *got.UUID != uuid {
			t.Errorf("%s, want the UUID %q", page, uuid)
		}
	}
}
