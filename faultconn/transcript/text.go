package transcript

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"
)

// Text returns a function for Log.OnEntry that writes lines for people to w.
// Each entry is one Write. Errors of w are ignored: a log must not break what
// it watches.
func Text(w io.Writer) func(Entry) {
	return func(e Entry) { _, _ = w.Write(e.AppendText(nil)) }
}

// AppendText appends the entry as [Text] writes it, with a newline at the end.
func (e Entry) AppendText(b []byte) []byte {
	head := fmt.Sprintf("%s %s %d", e.Time.Format("15:04:05.000"), e.Point, e.Conn)
	line := func(format string, args ...any) {
		b = append(b, head...)
		b = append(b, ' ')
		b = append(fmt.Appendf(b, format, args...), '\n')
	}
	switch e.Kind {
	case Open:
		if e.Server {
			line("open from %s", e.Peer)
		} else {
			line("open to %s", e.Peer)
		}
	case Failed:
		line("dial %s failed: %v", e.Peer, e.Err)
	case Error:
		line("error: %v", e.Err)
	case Fault:
		line("! %s", e.Event)
	case EndOut:
		line("> end")
	case EndIn:
		line("< end")
	case Close:
		line("close after %v, %d bytes out, %d in", e.Open, e.Written, e.Read)
	default:
		mark := '<'
		if e.Kind == Out {
			mark = '>'
		}
		for _, text := range shown(e.Data) {
			line("%c %s", mark, text)
		}
		if left := e.Size - len(e.Data); left > 0 {
			line("%c ... %d bytes not shown", mark, left)
		}
	}
	return b
}

// shown is data as lines.
func shown(data []byte) []string {
	if len(data) == 0 {
		return nil
	}
	lines := []string{}
	if !isText(data) {
		for l := range bytes.Lines([]byte(hex.Dump(data))) {
			lines = append(lines, string(bytes.TrimRight(l, "\n")))
		}
		return lines
	}
	for l := range bytes.Lines(data) {
		lines = append(lines, string(bytes.TrimRight(l, "\r\n")))
	}
	return lines
}

// isText reports whether data can be shown as they are, without a terminal
// taking them for commands. A character may be cut at either end.
func isText(data []byte) bool {
	for i := 0; i < 3 && len(data) > 0 && !utf8.RuneStart(data[0]); i++ {
		data = data[1:]
	}
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 && utf8.FullRune(data) {
			return false
		}
		if r != utf8.RuneError && r != '\r' && r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return false
		}
		data = data[n:]
		if r == '\r' && len(data) > 0 && data[0] != '\n' && data[0] != '\r' {
			return false // would take the cursor back over the line
		}
	}
	return true
}

// JSON returns a function for Log.OnEntry that writes a line of JSON an entry
// to w:
//
//	{"time":"...","point":"db","conn":1,"kind":"out","offset":0,"size":5,"text":"hello"}
//
// Data that are not text are in "hex". Zero fields are left out; durations are
// in seconds. Errors of w are ignored.
func JSON(w io.Writer) func(Entry) {
	return func(e Entry) {
		b, err := e.MarshalJSON()
		if err == nil {
			_, _ = w.Write(append(b, '\n'))
		}
	}
}

// MarshalJSON gives the form described at [JSON].
func (e Entry) MarshalJSON() ([]byte, error) {
	type fault struct {
		Rule     string  `json:"rule"`
		Kind     string  `json:"kind"`
		Op       string  `json:"op"`
		Offset   int64   `json:"offset"`
		Exchange int     `json:"exchange,omitempty"`
		Delay    float64 `json:"delay,omitempty"`
		Seed     uint64  `json:"seed"`
	}
	v := struct {
		Time    time.Time `json:"time"`
		Point   string    `json:"point"`
		Conn    int       `json:"conn"`
		Kind    Kind      `json:"kind"`
		Server  bool      `json:"server,omitempty"`
		Peer    string    `json:"peer,omitempty"`
		Offset  *int64    `json:"offset,omitempty"`
		Size    int       `json:"size,omitempty"`
		Text    string    `json:"text,omitempty"`
		Hex     string    `json:"hex,omitempty"`
		Err     string    `json:"error,omitempty"`
		Fault   *fault    `json:"fault,omitempty"`
		Open    float64   `json:"open,omitempty"`
		Written int64     `json:"written,omitempty"`
		Read    int64     `json:"read,omitempty"`
	}{
		Time: e.Time, Point: e.Point, Conn: e.Conn, Kind: e.Kind, Server: e.Server, Size: e.Size,
		Open: e.Open.Seconds(), Written: e.Written, Read: e.Read,
	}
	switch e.Kind {
	case In, Out:
		v.Offset = &e.Offset
		// What is not valid UTF-8 would be changed on the way to JSON.
		if isText(e.Data) && utf8.Valid(e.Data) {
			v.Text = string(e.Data)
		} else {
			v.Hex = hex.EncodeToString(e.Data)
		}
	case Open, Failed, Close:
		v.Peer = e.Peer
	case Fault:
		f := e.Event
		v.Fault = &fault{f.Rule, f.Kind, string(f.Op), f.Offset, f.Exchange, f.Delay.Seconds(), f.Seed}
	}
	if e.Err != nil {
		v.Err = e.Err.Error()
	}
	return json.Marshal(v)
}
