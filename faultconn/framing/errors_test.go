package framing_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn/framing"
)

// The parser of net/http takes it for what it is.
func TestHTTPError(t *testing.T) {
	for _, c := range []struct {
		status     int
		retryAfter time.Duration
		want       string
	}{
		{503, 1500 * time.Millisecond, "2"}, {429, time.Minute, "60"}, {502, 0, ""}, {503, 1, "1"},
	} {
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(framing.HTTPError(c.status, c.retryAfter))), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if res.StatusCode != c.status || res.Header.Get("Retry-After") != c.want || len(body) != 0 || err != nil || !res.Close {
			t.Errorf("%d, %v: %v, %q, %v", c.status, c.retryAfter, res, body, err)
		}
	}
}

// The parser of net/smtp does too.
func TestSMTPError(t *testing.T) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(framing.SMTPError(421, "too busy\r\n250 not really"))))
	_, _, err := r.ReadResponse(2)
	var te *textproto.Error
	if !errors.As(err, &te) || te.Code != 421 || te.Msg != "too busy  250 not really" {
		t.Errorf("got %v", err)
	}
}

func TestLDAPError(t *testing.T) {
	for _, c := range []struct {
		id       int32
		response string
		result   byte
		message  string
		want     string
	}{
		{1, "bindResponse", 51, "", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x33\x04\x00\x04\x00"},
		{300, "searchResDone", 52, "down", "\x30\x11\x02\x02\x01\x2c\x65\x0b\x0a\x01\x34\x04\x00\x04\x04down"},
		{0, "extendedResp", 52, "", "\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x34\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036"},
	} {
		got, err := framing.LDAPError(c.id, c.response, c.result, c.message)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v\nwant %q", c.response, got, err, c.want)
		}
		s := framing.LDAP().Replies
		if part := s.Next(got); part.Command != c.response {
			t.Errorf("%s is taken for %+v", c.response, part)
		}
	}
	long, err := framing.LDAPError(1, "bindResponse", 51, string(make([]byte, 500)))
	if err != nil || len(long) != 4+3+4+3+2+4+500 {
		t.Errorf("%d bytes, %v", len(long), err)
	}
	if _, err := framing.LDAPError(1, "bindRequest", 51, ""); err == nil {
		t.Error("no error for what is no response")
	}
}

func TestLengthPrefix(t *testing.T) {
	for _, c := range []struct {
		prefix framing.LengthPrefix
		bytes  string
		want   string
	}{
		{framing.LengthPrefix{Size: 1}, "\x02ab\x01c", "[/1+2 /1+1]"},
		{framing.LengthPrefix{Size: 4, LittleEndian: true}, "\x02\x00\x00\x00ab", "[/4+2]"},
		{framing.LengthPrefix{Size: 8}, "\x00\x00\x00\x00\x00\x00\x00\x02ab", "[/8+2]"},
		{framing.LengthPrefix{Size: 2, Inclusive: true}, "\x00\x04ab\x00\x02", "[/2+2 /2+0]"},
		{framing.LengthPrefix{Size: 2, Inclusive: true}, "\x00\x01ab", "[raw/4]"},
		{framing.LengthPrefix{Size: 8}, "\xff\x00\x00\x00\x00\x00\x00\x02ab", "[raw/10]"},
	} {
		conv, err := c.prefix.Conversation()
		if err != nil {
			t.Fatal(err)
		}
		if got := sprint(collect(t, conv.Requests, []byte(c.bytes), 1<<20)); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.prefix, got, c.want)
		}
	}
	for _, size := range []int{0, 3, 16, -1} {
		if _, err := (framing.LengthPrefix{Size: size}).Conversation(); err == nil {
			t.Errorf("size %d: no error", size)
		}
	}
}
