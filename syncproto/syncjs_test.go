package syncproto_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// syncJS does what the first client, sync.js of 2012, does on the wire and with
// what it gets, its quirks included. It is a model written from a description
// of its requests and reactions, statement by statement; comments name what
// would surprise.
type syncJS struct {
	t      *testing.T
	client *http.Client
	login  struct {
		Email, Status string
		URL           string `json:"collection_url"`
		Auth          string `json:"http_authorization"`
	}
	loggedIn bool
	dead     bool // a 401 leaves the scheduler unarmed until the next login
	period   time.Duration
	next     time.Duration   // from Retry-After or X-Sync-Poll-Time, for once
	timers   []time.Duration // of the scheduler, each in the place of the one before

	lastSyncTime float64
	lastSyncPut  float64
	uuid         *string
	uuidKnown    bool
	put          map[string]float64 // last_modified last put, by origin: appTracking

	apps      map[string]*jsApp
	deletions map[string]float64 // local ones, by origin

	// For the tests: the last state of each origin that it was sent, and a hook
	// between its pull and its push.
	seen    map[string]string
	between func()
}

type jsApp struct {
	Origin       string  `json:"origin"`
	LastModified float64 `json:"last_modified"` // milliseconds, the client's own clock
	Deleted      bool    `json:"deleted,omitempty"`
	remote       bool
}

var (
	errUUIDChanged       = errors.New("uuid_changed")
	errCollectionDeleted = errors.New("collection_deleted")
	errInvalidJSON       = errors.New("invalid_json")
	errNotLoggedIn       = errors.New("you have not yet logged in")
	errStatus            = errors.New("status")
)

const jsPeriod = 5 * time.Minute

func newSyncJS(s *netSite) *syncJS {
	return &syncJS{
		t: s.t, client: s.client, period: jsPeriod,
		put: map[string]float64{}, apps: map[string]*jsApp{}, deletions: map[string]float64{}, seen: map[string]string{},
	}
}

func (c *syncJS) logIn(email string) {
	c.t.Helper()
	body := "assertion=" + url.QueryEscape(email+"?a=x") + "&audience=x"
	res, err := c.client.Post("http://sync/v1/verify", "application/x-www-form-urlencoded", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		c.t.Fatalf("login: %d", res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(&c.login); err != nil || c.login.Email == "" || c.login.Status != "okay" {
		c.t.Fatalf("login: %+v, %v", c.login, err)
	}
	c.loggedIn, c.dead = true, false
}

// request returns the body of a 200, and otherwise what a failure does.
func (c *syncJS) request(method, query, body string) ([]byte, error) {
	r, err := http.NewRequest(method, c.login.URL+query, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", c.login.Auth)
	if method == "POST" { // as browsers do for an XMLHttpRequest that sets none
		r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	res, err := c.client.Do(r)
	if err != nil {
		c.grow()
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.grow()
		return nil, err
	}
	c.next = 0
	hint := res.Header.Get("Retry-After")
	if hint == "" {
		hint = res.Header.Get("X-Sync-Poll-Time") // and never X-Sync-Poll
	}
	if v := jsSeconds(hint); v > 0 && v <= 172800 {
		c.next = max(time.Duration(v)*time.Second, 30*time.Second)
		c.timers = append(c.timers, c.next)
	}
	switch {
	case res.StatusCode == 200:
		c.period = jsPeriod
		return b, nil
	case res.StatusCode == 401:
		c.loggedIn, c.dead = false, c.next == 0
	case res.StatusCode >= 500 && c.next == 0:
		c.grow()
	}
	return nil, errStatus
}

// jsSeconds is parseInt, and a date where that is not a number.
func jsSeconds(hint string) int {
	digits := hint[:len(hint)-len(strings.TrimLeft(hint, "0123456789"))]
	if v, err := strconv.Atoi(digits); err == nil {
		return v
	}
	if at, err := http.ParseTime(hint); err == nil {
		return int(time.Until(at).Seconds())
	}
	return 0
}

// schedule is what the scheduler does when its timer has fired. It sets the next
// one when the sync is done, whatever a header has asked for meanwhile; after a
// 401 it is not come to that.
func (c *syncJS) schedule() error {
	c.timers = nil
	was := c.loggedIn
	err := c.syncNow(false)
	if c.loggedIn == was {
		c.timers = append(c.timers, c.period)
	}
	return err
}

func (c *syncJS) grow() { c.period = min(c.period+jsPeriod, time.Hour) }

func (c *syncJS) syncNow(forced bool) error {
	if !c.loggedIn {
		return errNotLoggedIn
	}
	for again := true; again; {
		var err error
		again, err = c.get()
		if errors.Is(err, errCollectionDeleted) && forced {
			c.reset()
			break
		}
		if err != nil {
			return err
		}
	}
	if c.between != nil {
		c.between()
	}
	return c.putApps()
}

func (c *syncJS) get() (again bool, _ error) {
	b, err := c.request("GET", "?since="+strconv.FormatFloat(c.lastSyncTime, 'f', -1, 64), "")
	if err != nil {
		return false, err
	}
	var v map[string]any
	if json.Unmarshal(b, &v) != nil {
		return false, errInvalidJSON
	}
	if v["collection_deleted"] != nil {
		return false, errCollectionDeleted
	}
	if remote, ok := v["uuid"]; ok {
		s, isString := remote.(string)
		switch {
		case c.uuidKnown && c.uuid != nil && isString && *c.uuid == s, c.uuid == nil && !isString:
		case c.uuid == nil && isString:
			c.uuid, c.uuidKnown = &s, true
		default: // null after a known one, too
			c.reset()
			return false, errUUIDChanged
		}
	}
	apps, _ := v["applications"].([]any) // an object has no length, and so no apps
	for _, a := range apps {
		c.apply(a)
	}
	until, ok := v["until"].(float64)
	if !ok {
		c.t.Fatalf("until of %s is no number: the client throws", b)
	}
	c.lastSyncTime = until
	incomplete, _ := v["incomplete"].(bool)
	return incomplete, nil
}

func (c *syncJS) apply(v any) {
	b, _ := json.Marshal(v)
	var a jsApp
	if err := json.Unmarshal(b, &a); err != nil {
		c.t.Fatalf("app %s: %v", b, err)
	}
	c.seen[a.Origin] = string(b)
	local, gone := c.apps[a.Origin], c.deletions[a.Origin]
	switch {
	case local != nil && a.LastModified > local.LastModified && a.Deleted:
		delete(c.apps, a.Origin)
		c.deletions[a.Origin] = a.LastModified + 1 // a new deletion of its own, echoed once
	case local != nil: // a newer version is collected and dropped
	case a.Deleted:
	case gone > 0 && a.LastModified <= gone:
	default:
		delete(c.deletions, a.Origin)
		a.remote = true
		c.apps[a.Origin] = &a
	}
}

func (c *syncJS) putApps() error {
	out := []jsApp{}
	for _, a := range c.apps {
		if !a.remote && a.LastModified > c.put[a.Origin] {
			out = append(out, *a)
		}
	}
	for origin, at := range c.deletions {
		if at > c.put[origin] {
			out = append(out, jsApp{Origin: origin, LastModified: at, Deleted: true})
		}
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortFunc(out, func(a, b jsApp) int { return strings.Compare(a.Origin, b.Origin) })
	body, _ := json.Marshal(out)
	b, err := c.request("POST", "", string(body))
	if err != nil {
		return err
	}
	var v struct{ Received float64 }
	if err := json.Unmarshal(b, &v); err != nil {
		c.t.Fatalf("received of %s: the client throws", b)
	}
	if v.Received == 0 {
		c.t.Fatalf("received is 0 in %s, which it takes for never having put", b)
	}
	for _, a := range out {
		c.put[a.Origin] = a.LastModified
	}
	c.lastSyncPut, c.lastSyncTime = v.Received, v.Received
	return nil
}

// reset forgets what was synced. The apps stay.
func (c *syncJS) reset() {
	c.lastSyncTime, c.lastSyncPut, c.uuid, c.uuidKnown = 0, 0, nil, false
	c.put = map[string]float64{}
}

func (c *syncJS) install(origin string, at float64) {
	delete(c.deletions, origin)
	c.apps[origin] = &jsApp{Origin: origin, LastModified: at}
}

func (c *syncJS) uninstall(origin string, at float64) {
	delete(c.apps, origin)
	c.deletions[origin] = at
}

// deleteCollection sends the request. In a browser its answer never arrives:
// the handler throws, and the reset that should follow doesn't happen.
func (c *syncJS) deleteCollection() {
	if _, err := c.request("POST", "?delete", `{"client_id":"unknown","reason":"test"}`); err != nil {
		c.t.Fatalf("delete: %v", err)
	}
}

func (c *syncJS) has() string {
	var all []string
	for o := range c.apps {
		all = append(all, o)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
