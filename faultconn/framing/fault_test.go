package framing_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// site serves over memory, and counts the requests that reach it. The client
// keeps its connections, and dials through the injector.
type site struct {
	client *http.Client
	inj    *faultconn.Injector
	events []faultconn.Event
	got    []string
}

func serve(t *testing.T, rules ...faultconn.Rule) *site {
	t.Helper()
	n := &memnet.Network{}
	l, err := n.Listen("tcp", "web:80")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{inj: &faultconn.Injector{}}
	s.inj.OnEvent = func(e faultconn.Event) { s.events = append(s.events, e) }
	if err := s.inj.SetPlan(faultconn.Plan{Seed: 1, Rules: rules}); err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.got = append(s.got, r.Method+" "+r.URL.Path+" "+string(body))
		w.Header().Set("Content-Length", "5000") // no chunks
		io.WriteString(w, strings.Repeat("x", 5000))
	})}
	go srv.Serve(l)
	tr := &http.Transport{DialContext: s.inj.Dialer("web", n.DialContext)}
	s.client = &http.Client{Transport: tr}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		srv.Close()
		n.Close()
	})
	return s
}

func (s *site) do(method, path, body string) (status int, n int, err error) {
	req, err := http.NewRequest(method, "http://web"+path, strings.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, len(b), err
}

func on(f *framing.On) faultconn.Rule      { return faultconn.Rule{Name: "on", Fault: f} }
func says(f *framing.Reply) faultconn.Rule { return faultconn.Rule{Name: "reply", Fault: f} }

func TestOnCutsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, on(&framing.On{
			Protocol: "http", Messages: framing.Messages{Number: 2}, At: "body", Byte: 1234, Fault: fault.Reset{},
		}))
		if status, n, err := s.do("GET", "/1", ""); status != 200 || n != 5000 || err != nil {
			t.Fatalf("first: %d, %d bytes, %v", status, n, err)
		}
		status, n, err := s.do("GET", "/2", "")
		if status != 200 || n != 1234 || !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("second: %d, %d bytes, %v; want 200, 1234 bytes, a reset", status, n, err)
		}
		if status, n, err := s.do("GET", "/3", ""); status != 200 || n != 5000 || err != nil {
			t.Fatalf("on a new connection: %d, %d bytes, %v", status, n, err)
		}
	})
}

// The event of a hit names the byte, though the operation began before it.
func TestOnEventNamesTheByte(t *testing.T) {
	var events []faultconn.Event
	inj := faultconn.Injector{OnEvent: func(e faultconn.Event) { events = append(events, e) }}
	if err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{on(&framing.On{
		Protocol: "lines", Messages: framing.Messages{Number: 2}, Byte: 3, Fault: fault.Reset{},
	})}}); err != nil {
		t.Fatal(err)
	}
	a, b := memnet.Pipe()
	c := inj.Conn("server", a)
	defer b.Close()
	defer c.Close()
	io.WriteString(b, "hello\nworld\n")
	got, err := io.ReadAll(c)
	if string(got) != "hello\nwor" || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %q, %v", got, err)
	}
	if len(events) != 1 || events[0].Offset != 9 {
		t.Errorf("events %v, want one at byte 9", events)
	}
}

func TestOnCutsHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, on(&framing.On{
			Protocol: "http", Messages: framing.Messages{First: 1}, Byte: 20, Fault: fault.Reset{},
		}))
		if _, _, err := s.do("GET", "/1", ""); err == nil || !strings.Contains(err.Error(), `malformed MIME header: missing colon: "Con"`) {
			t.Fatalf("%v, want a head that breaks off after 20 bytes", err)
		}
		if status, _, err := s.do("GET", "/2", ""); status != 200 || err != nil {
			t.Fatalf("after it: %d, %v", status, err)
		}
	})
}

func TestOnDelaysCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, on(&framing.On{
			Protocol: "http", Messages: framing.Messages{Requests: true, Commands: []string{"PUT"}},
			Fault: fault.Delay{For: 20 * time.Second},
		}))
		for _, c := range []struct {
			method string
			want   time.Duration
		}{{"GET", 0}, {"PUT", 20 * time.Second}, {"POST", 0}, {"PUT", 20 * time.Second}} {
			start := time.Now()
			if status, _, err := s.do(c.method, "/", "body"); status != 200 || err != nil {
				t.Fatalf("%s: %d, %v", c.method, status, err)
			}
			if took := time.Since(start); took != c.want {
				t.Errorf("%s took %v, want %v", c.method, took, c.want)
			}
		}
		if n := s.inj.Hits("on"); n != 2 || len(s.events) != 2 {
			t.Errorf("%d hits, %d events, want 2", n, len(s.events))
		}
	})
}

// The refused request has no effect, not even with a body, and the others have.
func TestReplyHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, says(&framing.Reply{
			Protocol: "http", Messages: framing.Messages{Commands: []string{"POST"}, Every: 2}, RetryAfter: 90 * time.Second,
		}))
		long := strings.Repeat("b", 100_000)
		var got []int
		for range 2 {
			for _, c := range [][2]string{{"GET", ""}, {"POST", "short"}, {"POST", long}, {"GET", ""}} {
				status, _, err := s.do(c[0], "/", c[1])
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, status)
			}
		}
		if want := []int{200, 200, 503, 200, 200, 200, 503, 200}; !reflect.DeepEqual(got, want) {
			t.Errorf("statuses %v, want %v", got, want)
		}
		for _, g := range s.got {
			if strings.Contains(g, "bbb") {
				t.Error("a refused request has reached the handler")
			}
		}
		if len(s.got) != 6 {
			t.Errorf("the handler saw %q", s.got)
		}
	})
}

func TestReplyRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, says(&framing.Reply{Protocol: "http", Error: "429", RetryAfter: 1500 * time.Millisecond}))
		res, err := s.client.Get("http://web/")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 429 || res.Header.Get("Retry-After") != "2" {
			t.Errorf("%v", res)
		}
	})
}

// speak runs a script of lines against a server that knows one answer to each
// command, through a plan, and returns what came back.
func speak(t *testing.T, plan faultconn.Plan, greeting string, answers map[string]string, write string) (string, []string) {
	t.Helper()
	var inj faultconn.Injector
	if err := inj.SetPlan(plan); err != nil {
		t.Fatal(err)
	}
	a, b := memnet.Pipe()
	c := inj.Conn("server", a)
	var seen []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close()
		io.WriteString(b, greeting)
		r := bufio.NewReader(b)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSpace(line)
			seen = append(seen, line)
			io.WriteString(b, answers[line])
		}
	}()
	if _, err := io.WriteString(c, write); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	c.(interface{ CloseWrite() error }).CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	<-done
	return string(got), seen
}

// In a pipeline only the chosen one is refused, and the replies stay in order.
func TestReplyPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := faultconn.Plan{Rules: []faultconn.Rule{says(&framing.Reply{
			Protocol: "memcached", Messages: framing.Messages{Commands: []string{"get"}, Skip: 1, First: 1},
		})}}
		got, seen := speak(t, plan, "", map[string]string{
			"get a": "VALUE a 0 1\r\n1\r\nEND\r\n", "get b": "VALUE b 0 1\r\n2\r\nEND\r\n", "get c": "END\r\n",
			"version": "VERSION 1.6\r\n", "delete x": "DELETED\r\n",
		}, "get a\r\ndelete x noreply\r\nget b\r\nget c\r\ndelete x\r\n")
		want := "VALUE a 0 1\r\n1\r\nEND\r\nSERVER_ERROR out of memory storing object\r\nEND\r\nDELETED\r\n"
		if got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
		if fmt.Sprint(seen) != "[get a delete x noreply version get c delete x]" {
			t.Errorf("the server saw %q", seen)
		}
	})
}

func TestReplyGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := faultconn.Plan{Rules: []faultconn.Rule{says(&framing.Reply{Protocol: "smtp", Error: "421-greeting"})}}
		got, _ := speak(t, plan, "220 hello\r\n", nil, "")
		if got != "421 4.3.2 Too many connections, try again later\r\n" {
			t.Errorf("got %q", got)
		}
	})
}

// After an error that ends the connection comes the end, on either side.
func TestReplyFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := faultconn.Plan{Rules: []faultconn.Rule{says(&framing.Reply{
			Protocol: "redis", Error: "too-many-connections", Messages: framing.Messages{Commands: []string{"INFO"}},
		})}}
		got, seen := speak(t, plan, "", map[string]string{"PING": "+PONG\r\n", "ECHO hi": "+hi\r\n", "*1": "", "$4": ""}, "ECHO hi\r\nINFO\r\nECHO hi\r\n")
		if got != "+hi\r\n-ERR max number of clients reached\r\n" {
			t.Errorf("got %q, server saw %q", got, seen)
		}
	})
}

// A plan with these faults goes to JSON and back.
func TestPlanFile(t *testing.T) {
	plan := faultconn.Plan{Seed: 3, Rules: []faultconn.Rule{
		{Name: "cut", Fault: &framing.On{
			Protocol: "mysql", Messages: framing.Messages{Commands: []string{"ERR"}, Chance: 0.5}, At: "body", Byte: 3,
			Fault: fault.Delay{For: time.Second},
		}},
		{Name: "full", Fault: &framing.Reply{Protocol: "postgres", Error: "too-many-connections", Messages: framing.Messages{First: 2}}},
	}}
	catalogue := append(fault.Catalogue(), framing.Catalogue()...)
	back, err := catalogue.Parse([]byte(plan.String()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plan, back) {
		t.Errorf("%v\nbecame %v", plan, back)
	}
	for text, want := range map[string]string{
		`{"kind": "on", "protocol": "gopher", "fault": {"kind": "reset"}}`:            `protocol "gopher"`,
		`{"kind": "on", "protocol": "http"}`:                                          `fault: missing`,
		`{"kind": "on", "protocol": "http", "at": "tail", "fault": {"kind":"reset"}}`: `at "tail"`,
		`{"kind": "on", "protocol": "http", "fault": {"kind":"fail","with":"x"}}`:     `fault fail: with "x"`,
		`{"kind": "reply", "protocol": "http", "error": "418"}`:                       `error "418"`,
		`{"kind": "reply", "protocol": "lines"}`:                                      `protocol "lines"`,
		`{"kind": "reply", "protocol": "redis", "retryAfter": "1s"}`:                  `retryAfter 1s`,
		`{"kind": "reply", "protocol": "redis", "messages": {"chance": 2}}`:           `messages.chance 2`,
	} {
		_, err := catalogue.Parse([]byte(`{"rules":[{"fault":` + text + `}]}`))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// A protocol of one's own: four digits of length, and a word.
type digits struct{}

func (digits) Scan(b []byte) (framing.Step, error) {
	if len(b) < 4 {
		return framing.Step{}, nil
	}
	n := 0
	if _, err := fmt.Sscanf(string(b[:4]), "%04d", &n); err != nil {
		return framing.Step{}, err
	}
	return framing.Step{Head: 4, Body: int64(n), Command: "word"}, nil
}

func TestCustom(t *testing.T) {
	// In a plan: the second word is cut.
	on := &framing.On{
		Custom:   func() *framing.Conversation { return framing.Custom(digits{}, digits{}) },
		Messages: framing.Messages{Number: 2, Commands: []string{"word"}}, At: "body", Byte: 1, Fault: fault.Reset{},
	}
	_, got, err := received(t, on, nil, []byte("0001a0005hello0001b"), 100)
	if got != "0001a0005h" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%q, %v", got, err)
	}
	if err := (&framing.On{Protocol: "http", Custom: on.Custom, Fault: fault.Reset{}}).Validate(); err == nil {
		t.Error("two protocols at once are valid")
	}
	for _, n := range []int{1, 3, 100} {
		c := framing.Custom(digits{}, digits{})
		if got := sprint(collect(t, c.Requests, []byte("0005hello0000"), n)); got != "[word/4+5 word/4+0]" {
			t.Errorf("cut to %d: %s", n, got)
		}
		if got := sprint(collect(t, c.Replies, []byte("nope"), 100)); got != "[raw/4]" {
			t.Error(got)
		}
	}
}

// On the accepting side requests come in and replies go out.
func TestReplyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ name, want string }{
			{"busy", "$1\r\na\r\n-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n$1\r\nc\r\n"},
			{"too-many-connections", "$1\r\na\r\n-ERR max number of clients reached\r\n"},
		} {
			n := &memnet.Network{}
			l, err := n.Listen("tcp", "redis:6379")
			if err != nil {
				t.Fatal(err)
			}
			var inj faultconn.Injector
			err = inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{says(&framing.Reply{
				Protocol: "redis", Error: c.name, Messages: framing.Messages{Skip: 1, First: 1},
			})}})
			if err != nil {
				t.Fatal(err)
			}
			var seen []string
			go func() {
				s, err := inj.Listener("clients", l).Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				r := bufio.NewReader(s)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					line = strings.TrimSpace(line)
					seen = append(seen, line)
					reply := "+PONG\r\n"
					if _, word, ok := strings.Cut(line, "ECHO "); ok {
						reply = "$1\r\n" + word + "\r\n"
					} else if line != "PING" {
						continue // the rest of an array
					}
					if _, err := io.WriteString(s, reply); err != nil {
						return
					}
				}
			}()
			client, err := n.Dial("tcp", "redis:6379")
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(client, "ECHO a\r\nECHO b\r\nECHO c\r\n")
			synctest.Wait()
			client.(*memnet.Conn).CloseWrite()
			got, _ := io.ReadAll(client)
			if string(got) != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
			client.Close()
			synctest.Wait()
			if strings.Contains(strings.Join(seen, " "), "ECHO b") {
				t.Errorf("the server saw %q", seen)
			}
			n.Close()
		}
	})
}

// A fault follows a bounded number of connections, and leaves alone those that
// it has let go of rather than strike at a wrong place.
func TestMostFollowed(t *testing.T) {
	on := &framing.On{Protocol: "lines", Messages: framing.Messages{Requests: true}, Fault: fault.Fail{With: "reset"}}
	write := func(conn int, offset int64) bool {
		e := on.Inject(faultconn.Op{Kind: faultconn.OpWrite, Point: "p", Conn: conn, Offset: offset, Data: []byte("line\n")})
		return e.Err != nil
	}
	const many = 8192
	for i := range many + 1 {
		if !write(i+1, 0) {
			t.Fatalf("connection %d is not struck", i+1)
		}
	}
	if write(1, 5) {
		t.Error("the first is still followed")
	}
	if !write(many, 5) {
		t.Error("the last but one is not")
	}
}

// A plan that is set again finds connections in the middle of their streams,
// and offsets begin at 0 again.
func TestPlanSetAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := on(&framing.On{
			Protocol: "http", Messages: framing.Messages{Requests: true, Number: 2}, Fault: fault.Delay{For: time.Second},
		})
		s := serve(t, on)
		for i := range 2 {
			for j, want := range []time.Duration{0, time.Second, 0} {
				start := time.Now()
				if status, _, err := s.do("GET", "/", ""); status != 200 || err != nil {
					t.Fatal(status, err)
				}
				if took := time.Since(start); took != want {
					t.Errorf("plan %d, request %d: %v, want %v", i+1, j+1, took, want)
				}
			}
			if err := s.inj.SetPlan(faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{on}}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A rule may wait for its moment, and finds connections between two messages.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := says(&framing.Reply{Protocol: "http"})
		rule.When.After, rule.When.Before = time.Minute, 2*time.Minute
		s := serve(t, rule)
		for i, want := range []int{200, 200, 503, 503, 200} {
			if status, _, err := s.do("GET", "/", ""); status != want || err != nil {
				t.Errorf("request %d: %d, %v, want %d", i+1, status, err, want)
			}
			time.Sleep(35 * time.Second)
		}
	})
}

// A chance that is drawn once a connection hides nothing from the fault.
func TestPerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, faultconn.Rule{Scope: faultconn.PerConnection, Mix: []faultconn.Share{
			{Percent: 50, Fault: &framing.Reply{Protocol: "http", Error: "502"}},
			{Percent: 30, Fault: &framing.Reply{Protocol: "http"}},
		}})
		seen := map[int]int{}
		for range 30 {
			first, _, err := s.do("GET", "/", "")
			if err != nil {
				t.Fatal(err)
			}
			seen[first]++
			if first != 200 {
				continue // which has ended the connection
			}
			if second, _, err := s.do("GET", "/", ""); second != 200 || err != nil {
				t.Errorf("%d, then %d, %v, on one connection", first, second, err)
			}
			s.client.CloseIdleConnections()
		}
		if seen[200] == 0 || seen[502] < seen[503] || seen[503] == 0 {
			t.Errorf("replies: %v", seen)
		}
	})
}

// A rule that would draw for a request and for its reply apart is refused, and
// says what to do instead.
func TestReplyRules(t *testing.T) {
	reply := &framing.Reply{Protocol: "redis"}
	for _, c := range []struct {
		rule faultconn.Rule
		says string
	}{
		{faultconn.Rule{Fault: reply, Chance: 0.5}, "messages.chance"},
		{faultconn.Rule{Mix: []faultconn.Share{{Percent: 1, Fault: reply}}}, "mix need scope connection"},
		{faultconn.Rule{Fault: reply, Scope: faultconn.PerOperation}, "scope operation"},
		{faultconn.Rule{Fault: reply, Scope: faultconn.PerByte, Chance: 0.1}, "scope byte"},
		{faultconn.Rule{Fault: reply, When: faultconn.When{First: 1}}, "messages.number, skip, first, every"},
		{faultconn.Rule{Fault: reply, When: faultconn.When{Pattern: "x"}}, "of when only"},
		{faultconn.Rule{Fault: reply, When: faultconn.When{Period: time.Second}}, "of when only"},
		{faultconn.Rule{Fault: reply, Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead}}}, "select.ops"},
	} {
		if err := (faultconn.Plan{Rules: []faultconn.Rule{c.rule}}).Validate(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v, want %q", c.rule, err, c.says)
		}
	}
}

// Several faults follow one connection, whichever of them strikes.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := faultconn.Plan{Rules: []faultconn.Rule{
			{Name: "slow", Fault: &framing.On{
				Protocol: "memcached", Messages: framing.Messages{Requests: true, Number: 5}, Fault: fault.Delay{For: time.Second},
			}},
			{Name: "gets", Fault: &framing.Reply{Protocol: "memcached", Messages: framing.Messages{Commands: []string{"get"}, Every: 2}}},
			{Name: "all", Fault: &framing.Reply{Protocol: "memcached", Error: "too-large", Messages: framing.Messages{Every: 3}}},
		}}
		start := time.Now()
		got, seen := speak(t, plan, "", map[string]string{
			"get a": "END\r\n", "touch b 1": "TOUCHED\r\n", "version": "VERSION 1.6\r\n",
		}, "get a\r\nget a\r\ntouch b 1\r\nget a\r\nget a\r\ntouch b 1\r\n")
		want := "END\r\n" + // 1
			"SERVER_ERROR out of memory storing object\r\n" + // the second get
			"SERVER_ERROR object too large for cache\r\n" + // the third of all
			"END\r\n" +
			"SERVER_ERROR out of memory storing object\r\n" + // the fourth get
			"SERVER_ERROR object too large for cache\r\n"
		if got != want {
			t.Errorf("got %q\nwant %q", got, want)
		}
		if fmt.Sprint(seen) != "[get a version version get a version version]" {
			t.Errorf("the server saw %q", seen)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v: the fifth request was to wait a second", took)
		}
	})
}

// On is an ordinary fault to its rule: with a chance, in a mix, counted, and
// after a time.
func TestOnUnderConditions(t *testing.T) {
	slow := &framing.On{Protocol: "http", At: "body", Fault: fault.Delay{For: time.Second}}
	for _, c := range []struct {
		why  string
		rule faultconn.Rule
		want string // of ten requests, one a second: which are late
	}{
		{"always", faultconn.Rule{}, "1111111111"},
		{"first", faultconn.Rule{When: faultconn.When{Skip: 2, First: 3}}, "0011100000"},
		{"every", faultconn.Rule{When: faultconn.When{Every: 4}}, "0001000100"},
		{"hits", faultconn.Rule{Limits: faultconn.Limits{Hits: 2}}, "1100000000"},
		{"after", faultconn.Rule{When: faultconn.When{After: 3 * time.Second, Before: 5 * time.Second}}, "0001000000"},
		{"bytes", faultconn.Rule{When: faultconn.When{From: 1, Until: 5100}}, "1000000000"},
	} {
		synctest.Test(t, func(t *testing.T) {
			c.rule.Fault = slow
			s := serve(t, c.rule)
			got := ""
			for range 10 {
				start := time.Now()
				if _, n, err := s.do("GET", "/", ""); n != 5000 || err != nil {
					t.Fatal(c.why, n, err)
				}
				got += fmt.Sprint(int(time.Since(start).Seconds()))
				time.Sleep(time.Second)
			}
			if got != c.want {
				t.Errorf("%s: late are %s, want %s", c.why, got, c.want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, faultconn.Rule{Mix: []faultconn.Share{{Percent: 30, Fault: slow}, {Percent: 30, Fault: fault.Delay{For: time.Minute}}}})
		late := map[time.Duration]int{}
		for range 60 {
			start := time.Now()
			if _, n, err := s.do("GET", "/", ""); n != 5000 || err != nil {
				t.Fatal(n, err)
			}
			late[time.Since(start)]++
		}
		if late[0] < 10 || late[time.Second] < 5 || late[time.Minute] < 5 || len(late) != 3 {
			t.Errorf("in a mix: %v", late)
		}
	})
}

// A log repeats the hits of a run; without a line, that one is missing.
func TestReplay(t *testing.T) {
	rules := []faultconn.Rule{
		{Name: "full", Fault: &framing.Reply{Protocol: "memcached", Messages: framing.Messages{Chance: 0.4}}},
		{Name: "slow", Fault: &framing.On{Protocol: "memcached", Messages: framing.Messages{Chance: 0.3}, Fault: fault.Delay{For: time.Second}}},
	}
	run := func(t *testing.T, set func(inj *faultconn.Injector) error) (replies []string, events []faultconn.Event) {
		synctest.Test(t, func(t *testing.T) {
			inj := faultconn.Injector{OnEvent: func(e faultconn.Event) { events = append(events, e) }}
			if err := set(&inj); err != nil {
				t.Fatal(err)
			}
			a, b := memnet.Pipe()
			c := inj.Conn("server", a)
			defer c.Close()
			go func() {
				defer b.Close()
				in := bufio.NewReader(b)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					if line == "version\r\n" {
						io.WriteString(b, "VERSION\r\n")
					} else { // as long, so that the log's places stay where they are
						io.WriteString(b, "TOUCHED\r\n")
					}
				}
			}()
			in := bufio.NewReader(c)
			for range 20 {
				start := time.Now()
				io.WriteString(c, "touch a 1\r\n")
				line, err := in.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				replies = append(replies, fmt.Sprint(strings.Fields(line)[0], " ", time.Since(start)))
			}
		})
		return replies, events
	}
	plan := faultconn.Plan{Seed: 3, Rules: rules}
	was, log := run(t, func(inj *faultconn.Injector) error { return inj.SetPlan(plan) })
	if seen := strings.Join(was, ","); !strings.Contains(seen, "SERVER_ERROR") || !strings.Contains(seen, "TOUCHED 1s") || !strings.Contains(seen, "TOUCHED 0s") {
		t.Fatalf("too little has happened: %v", was)
	}
	again := func() faultconn.Plan {
		for i, r := range rules { // what faults have seen is not part of a plan
			switch f := r.Fault.(type) {
			case *framing.Reply:
				rules[i].Fault = &framing.Reply{Protocol: f.Protocol, Messages: f.Messages}
			case *framing.On:
				rules[i].Fault = &framing.On{Protocol: f.Protocol, Messages: f.Messages, Fault: f.Fault}
			}
		}
		return plan
	}
	if is, _ := run(t, func(inj *faultconn.Injector) error { return inj.Replay(again(), log) }); !reflect.DeepEqual(is, was) {
		t.Errorf("replayed\n%v\nwant\n%v", is, was)
	}
	var slow []faultconn.Event
	for _, e := range log {
		if e.Rule == "slow" {
			slow = append(slow, e)
		}
	}
	is, _ := run(t, func(inj *faultconn.Injector) error { return inj.Replay(again(), slow) })
	for i := range is {
		if want := strings.Replace(was[i], "SERVER_ERROR", "TOUCHED", 1); is[i] != want {
			t.Errorf("without the refusals, reply %d is %s, want %s", i+1, is[i], want)
		}
	}
}

// Every refusal is what a message of its protocol looks like, and can be named.
func TestEveryRefusal(t *testing.T) {
	requests := map[string]struct{ requests, replies string }{
		"http":      {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		"memcached": {"get a\r\n", "VERSION 1\r\n"},
		"redis":     {"GET a\r\n", "+PONG\r\n"},
		"mysql":     {"\x01\x00\x00\x00\x03", "\x07\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"},
		"postgres":  {"Q\x00\x00\x00\x05\x00", "Z\x00\x00\x00\x05I"},
		"smtp":      {"MAIL FROM:<>\r\n", "250 ok\r\n"},
		"ldap":      {"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", "\x30\x0c\x02\x01\x01\x6f\x07\x0a\x01\x00\x04\x00\x04\x00"},
	}
	handshake := map[string]struct{ requests, replies string }{
		"mysql":    {"", "\x05\x00\x00\x00\x0a8.0\x00"},
		"postgres": {"\x00\x00\x00\x0d\x00\x03\x00\x00user\x00", "R\x00\x00\x00\x08\x00\x00\x00\x00"},
		"smtp":     {"", "220 hello\r\n"},
	}
	for protocol, s := range requests {
		err := (&framing.Reply{Protocol: protocol, Error: "?"}).Validate()
		if err == nil {
			t.Fatalf("%s has the error ?", protocol)
		}
		_, list, _ := strings.Cut(err.Error(), "must be one of ")
		for _, name := range strings.Split(list, ", ") {
			_, got, err := received(t, &framing.Reply{Protocol: protocol, Error: name}, []byte(s.requests), []byte(s.replies), 1<<20)
			if got == s.replies || got == "" {
				h := handshake[protocol]
				s = struct{ requests, replies string }{h.requests, h.replies}
				_, got, err = received(t, &framing.Reply{Protocol: protocol, Error: name}, []byte(s.requests), []byte(s.replies), 1<<20)
			}
			if got == s.replies || got == "" || err != nil {
				t.Errorf("%s %s: %q, %v", protocol, name, got, err)
				continue
			}
			conv := protocols[protocol]()
			conv.Requests.Next([]byte(s.requests))
			for _, span := range collect(t, conv.Replies, []byte(got), 1<<20) {
				if span.number == 0 || !span.ended {
					t.Errorf("%s %s: %q is taken for %v", protocol, name, got, span)
				}
			}
			s = requests[protocol]
		}
	}
}
