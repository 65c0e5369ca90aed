package memcachewire

import (
	"errors"
	"strings"
	"testing"
)

// However an answer is cut into reads, what is found wrong with it is the same,
// and a value's bytes are nobody's lines.
func FuzzFollow(f *testing.F) {
	for _, s := range []string{
		"STORED\r\n", "VALUE k 0 3 7\r\nabc\r\nEND\r\n", "VALUE k 0 3\r\nabc\r\nEND\r\n", "VALUE k 0 30 7\r\nVALUE x 0 99999999999999999 7\r\n..\r\nEND\r\n",
		"VALUE k 0 99999999999 7\r\n", "VALUE k 0 -1 7\r\n", "VALUE k\r\n", "END\r\nVALUE k 0 x\r\n", "\n\n", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		var whole, pieces boundedConn
		err := whole.follow([]byte(answer))
		var late error
		for i := range len(answer) {
			late = errors.Join(late, pieces.follow([]byte{answer[i]}))
			if late != nil {
				break
			}
		}
		if (err == nil) != (late == nil) {
			t.Errorf("in one piece: %v, in many: %v", err, late)
		}
		if err == nil && (whole.skip != pieces.skip || string(whole.line) != string(pieces.line)) {
			t.Errorf("in one piece: %d and %q to come, in many: %d and %q", whole.skip, whole.line, pieces.skip, pieces.line)
		}
		if rest, ok := strings.CutPrefix(answer, "VALUE k 0 3 7\r\n"); ok && len(rest) <= 5 && err != nil {
			t.Errorf("the value %q: %v", rest, err)
		}
	})
}
