package framing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/faultconn/framing"
)

var protocols = map[string]func() *framing.Conversation{
	"http": framing.HTTP, "memcached": framing.Memcached, "redis": framing.Redis, "mysql": framing.MySQL,
	"postgres": framing.Postgres, "smtp": framing.SMTP, "ldap": framing.LDAP, "lines": framing.Lines,
	"length": func() *framing.Conversation {
		c, err := framing.LengthPrefix{Size: 2}.Conversation()
		if err != nil {
			panic(err)
		}
		return c
	},
}

// A turn is bytes in one direction, and the messages they should be found to
// be: "command/head+body", "raw/n", with "..." at the end if the last goes on.
type turn struct {
	bytes string
	reply bool
	want  string
}

func req(bytes, want string) turn { return turn{bytes, false, want} }
func rep(bytes, want string) turn { return turn{bytes, true, want} }

var conversations = []struct {
	name, protocol string
	turns          []turn
}{
	{"get", "http", []turn{
		req("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET/27+0"),
		rep("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200/38+5"),
	}},
	{"pipelined, with HEAD", "http", []turn{
		req("HEAD / HTTP/1.1\r\n\r\nPOST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\r\nGET / HTTP/1.1\r\n\r\n", "HEAD/19+0 POST/39+3 GET/20+0"),
		rep("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
			"200/38+0 100/25+0 201/43+0 304/48+0"),
	}},
	{"chunked with trailer", "http", []turn{
		req("PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nGET / HTTP/1.1\r\n\r\n", "PUT/52+25 GET/18+0"),
	}},
	{"until close", "http", []turn{
		req("GET / HTTP/1.0\n\n", "GET/16+0"),
		rep("HTTP/1.0 200 OK\n\nall the rest", "200/17+12..."),
	}},
	{"websocket", "http", []turn{
		req("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "GET/38+0"),
		rep("HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x05hello", "101/36+0 raw/7"),
		req("\x81\x85....", "raw/6"),
	}},
	{"connect", "http", []turn{
		req("CONNECT a:443 HTTP/1.1\r\n\r\n", "CONNECT/26+0"),
		rep("HTTP/1.1 200 OK\r\n\r\n", "200/19+0"),
		req("\x16\x03", "raw/2"),
		rep("\x16\x03", "raw/2"),
	}},
	{"http/2", "http", []turn{req("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "raw/24")}},
	{"ambiguous length", "http", []turn{req("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "raw/59")}},
	{"tls", "http", []turn{req("\x16\x03\x01\x00\xa5", "raw/5")}},

	{"set and get", "memcached", []turn{
		req("set k 0 0 5\r\nhello\r\nget k j\r\n", "set/13+7 get/9+0"),
		rep("STORED\r\nVALUE k 0 5\r\nhello\r\nVALUE j 0 2 77\r\n\r\n\r\nEND\r\nEND\r\n", "STORED/8+0 VALUE/34+11 END/5+0"),
	}},
	{"meta", "memcached", []turn{
		req("ms k 2 T0\r\nhi\r\nmg k v\r\nmn\r\n", "ms/11+4 mg/8+0 mn/4+0"),
		rep("HD\r\nVA 2 W\r\nhi\r\nMN\r\n", "HD/4+0 VA/8+4 MN/4+0"),
	}},
	{"binary", "memcached", []turn{req("\x80\x00\x00\x01", "raw/4")}},
	{"error", "memcached", []turn{rep(string(framing.MemcachedError("out of memory\r\nstoring object")), "SERVER_ERROR/44+0")}},

	{"set", "redis", []turn{
		req("*3\r\n$3\r\nset\r\n$1\r\nk\r\n$5\r\nhello\r\n*1\r\n$4\r\nPING\r\nECHO hi\r\n", "SET/13+18 PING/14+0 ECHO/9+0"),
		rep("+OK\r\n-LOADING wait\r\n$5\r\nhello\r\n:1\r\n$-1\r\n*-1\r\n", "OK/5+0 LOADING/15+0 $/4+7 :/4+0 $/5+0 */5+0"),
	}},
	{"nested", "redis", []turn{
		rep("*2\r\n*2\r\n:1\r\n:2\r\n$1\r\nx\r\n%1\r\n+a\r\n~2\r\n#t\r\n_\r\n|1\r\n+ttl\r\n:1\r\n$1\r\nv\r\n*0\r\n", "*/4+19 %/4+15 |/4+17 */4+0"),
	}},
	{"error", "redis", []turn{rep(string(framing.RedisError("BUSY Redis is busy")), "BUSY/21+0")}},
	{"http", "redis", []turn{rep("HTTP/1.1 200 OK\r\n", "raw/17")}},

	{"session", "mysql", []turn{
		rep("\x05\x00\x00\x00\x0a8.0\x00", "Handshake/5+4"),
		req("\x20\x00\x00\x01\x05\x00"+strings.Repeat("u", 30), "HandshakeResponse/6+30"),
		rep("\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00", "OK/5+6"),
		req("\x09\x00\x00\x00\x03select 1\x01\x00\x00\x00\x01", "COM_QUERY/5+8 COM_QUIT/5+0"),
		rep("\x01\x00\x00\x01\x01\x05\x00\x00\x05\xfe\x00\x00\x02\x00", "/5+0 EOF/5+4"),
		rep(string(framing.MySQLError(1, 1040, "08004", "Too many connections")), "ERR/5+28"),
	}},
	{"too many at once", "mysql", []turn{rep(string(framing.MySQLError(0, 1040, "", "Too many connections")), "ERR/5+22")}},
	{"encryption", "mysql", []turn{
		req("\x20\x00\x00\x01\x00\x08"+strings.Repeat("\x00", 30)+"\x16\x03", "SSLRequest/6+30 raw/2"),
		rep("\x16\x03", "raw/2"),
	}},

	{"session", "postgres", []turn{
		req("\x00\x00\x00\x08\x04\xd2\x16\x2f", "SSLRequest/8+0"),
		rep("N", "EncryptionResponse/1+0"),
		req("\x00\x00\x00\x0d\x00\x03\x00\x00user\x00", "StartupMessage/8+5"),
		rep("R\x00\x00\x00\x08\x00\x00\x00\x00Z\x00\x00\x00\x05I", "Authentication/5+4 ReadyForQuery/5+1"),
		req("Q\x00\x00\x00\x0dselect 1\x00X\x00\x00\x00\x04", "Query/5+9 Terminate/5+0"),
		rep(string(framing.PostgresError("FATAL", "57P03", "shutting down")), "ErrorResponse/5+37"),
	}},
	{"encryption", "postgres", []turn{
		req("\x00\x00\x00\x08\x04\xd2\x16\x2f", "SSLRequest/8+0"),
		rep("S", "EncryptionResponse/1+0"),
		req("\x16\x03", "raw/2"),
		rep("\x16\x03", "raw/2"),
	}},
	{"refused encryption", "postgres", []turn{
		req("\x00\x00\x00\x08\x04\xd2\x16\x2f", "SSLRequest/8+0"),
		rep(string(framing.PostgresError("FATAL", "53300", "sorry")), "ErrorResponse/5+29"),
	}},

	{"mail", "smtp", []turn{
		rep("220 hello\r\n", "220/11+0"),
		req("ehlo me\r\n", "EHLO/9+0"),
		rep("250-hi\r\n250-PIPELINING\r\n250 AUTH\r\n", "250/8+26"),
		req("AUTH LOGIN\r\n", "AUTH/12+0"),
		rep("334 dXNlcg==\r\n", "334/14+0"),
		req("bWU=\r\n", "AUTH/6+0"),
		rep("235 ok\r\n", "235/8+0"),
		req("MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\n", "MAIL/15+0 RCPT/13+0 DATA/6+0"),
		rep("250 ok\r\n250 ok\r\n354 go\r\n", "250/8+0 250/8+0 354/8+0"),
		req("Subject: x\r\n\r\n..dots\r\n.\r\nQUIT\r\n", "message/0+25 QUIT/6+0"),
		rep(string(framing.SMTPError(421, "too busy")), "421/14+0"),
	}},
	{"starttls", "smtp", []turn{
		rep("220 hello\r\n", "220/11+0"),
		req("STARTTLS\r\n", "STARTTLS/10+0"),
		rep("220 go ahead\r\n", "220/14+0"),
		req("\x16\x03", "raw/2"),
		rep("\x16\x03", "raw/2"),
	}},
	{"bdat", "smtp", []turn{req("BDAT 5 LAST\r\nhelloRSET\r\n", "BDAT/13+5 RSET/6+0")}},

	{"bind", "ldap", []turn{
		req("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", "bindRequest/6+8"),
		rep("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", "bindResponse/6+8"),
		req("\x30\x81\x06\x02\x01\x02\x42\x01\x00", "unbindRequest/7+2"),
	}},
	{"starttls", "ldap", []turn{
		req("\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", "extendedReq/31+0"),
		rep("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", "extendedResp/14+0"),
		req("\x16\x03", "raw/2"),
		rep("\x16\x03", "raw/2"),
	}},
	{"refused starttls", "ldap", []turn{
		req("\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", "extendedReq/31+0"),
		rep("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00", "extendedResp/14+0"),
		req("\x30\x05\x02\x01\x02\x42\x00", "unbindRequest/6+1"),
	}},

	{"words", "lines", []turn{req("hello world\n\nx\r\npart", "hello/12+0 /1+0 x/3+0 /4+0...")}},
	{"prefix", "length", []turn{req("\x00\x03abc\x00\x00\x00\x01", "/2+3 /2+0 /2+0...")}},
}

// A span is a run of bytes of one message, or Raw ones.
type span struct {
	number     int
	command    string
	head, body int
	ended      bool
}

func (s span) String() string {
	if s.number == 0 {
		return fmt.Sprintf("raw/%d", s.head)
	}
	text := fmt.Sprintf("%s/%d+%d", s.command, s.head, s.body)
	if !s.ended {
		text += "..."
	}
	return text
}

// collect gives p to the stream in pieces of at most n bytes and adds up the
// parts. It fails on parts that make no sense.
func collect(t testing.TB, s *framing.Stream, p []byte, n int) []span {
	t.Helper()
	var spans []span
	for len(p) > 0 {
		piece := p[:min(n, len(p))]
		part := s.Next(piece)
		if part.N < 1 || part.N > len(piece) {
			t.Fatalf("a part of %d bytes, of %d", part.N, len(piece))
		}
		if (part.Section == framing.Raw) != (part.Number == 0) || part.Section == framing.Raw && part.End {
			t.Fatalf("%+v", part)
		}
		p = p[part.N:]
		i := len(spans) - 1
		if i < 0 || spans[i].number != part.Number {
			if i >= 0 && !spans[i].ended && part.Number != 0 {
				t.Fatalf("message %d begins within %d", part.Number, spans[i].number)
			}
			spans = append(spans, span{number: part.Number})
			i++
		}
		if spans[i].ended {
			t.Fatalf("%+v after the end of its message", part)
		}
		if part.Command != "" {
			spans[i].command = part.Command
		}
		if part.Section == framing.Body {
			spans[i].body += part.N
		} else {
			spans[i].head += part.N
		}
		spans[i].ended = part.End
	}
	return spans
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		for _, n := range []int{1 << 20, 1, 2, 7} {
			t.Run(fmt.Sprintf("%s/%s/%d", c.protocol, c.name, n), func(t *testing.T) {
				conv := protocols[c.protocol]()
				for i, turn := range c.turns {
					s := conv.Requests
					if turn.reply {
						s = conv.Replies
					}
					var got []string
					for _, span := range collect(t, s, []byte(turn.bytes), n) {
						got = append(got, span.String())
					}
					have := strings.Join(got, " ")
					if have == turn.want {
						continue
					}
					// Cut small, the beginning of what is not understood is seen
					// as a head first.
					if n < 100 && strings.HasPrefix(turn.want, "raw/") && strings.Contains(have, "raw/") {
						continue
					}
					t.Errorf("turn %d: %q\ngot  %s\nwant %s", i+1, turn.bytes, have, turn.want)
				}
			})
		}
	}
}

// FuzzStreams gives any bytes to all protocols, whole and in pieces: every byte
// is in one part, and where the pieces are cut changes nothing before the place
// where a stream gives up.
func FuzzStreams(f *testing.F) {
	for _, c := range conversations {
		var sent [2]string
		for _, turn := range c.turns {
			i := 0
			if turn.reply {
				i = 1
			}
			sent[i] += turn.bytes
		}
		f.Add([]byte(sent[0]), []byte(sent[1]), uint8(3))
	}
	f.Fuzz(func(t *testing.T, requests, replies []byte, n uint8) {
		for name, protocol := range protocols {
			whole, cut := protocol(), protocol()
			compare(t, name+" requests", collect(t, whole.Requests, requests, 1<<20), collect(t, cut.Requests, requests, int(n)+1))
			compare(t, name+" replies", collect(t, whole.Replies, replies, 1<<20), collect(t, cut.Replies, replies, int(n)+1))
		}
	})
}

func compare(t *testing.T, name string, whole, cut []span) {
	t.Helper()
	for i := range whole {
		if i >= len(cut) || whole[i].number == 0 || i+1 < len(whole) && whole[i+1].number == 0 {
			return // Raw from here, or from somewhere in here
		}
		if i+1 < len(cut) && cut[i+1].number == 0 && !cut[i].ended {
			return
		}
		if !whole[i].ended && i == len(whole)-1 {
			return
		}
		if whole[i] != cut[i] {
			t.Fatalf("%s: message %d is %v whole and %v cut", name, i+1, whole[i], cut[i])
		}
	}
}

func sprint(spans []span) string { return fmt.Sprint(spans) }

// What has no end of its head within 64 KiB is Raw from there on.
func TestHeadTooLong(t *testing.T) {
	for _, name := range []string{"http", "memcached", "redis", "smtp", "lines"} {
		s := protocols[name]().Requests
		for i := range 100 {
			part := s.Next([]byte(strings.Repeat("x", 1000)))
			if part.N != 1000 {
				t.Fatalf("%s: %+v", name, part)
			}
			if raw := part.Section == framing.Raw; raw != (1000*(i+1) >= 64<<10) {
				t.Fatalf("%s: %v after %d bytes", name, part.Section, 1000*(i+1))
			}
		}
	}
}
