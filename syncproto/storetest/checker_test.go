package storetest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/uuid"
	"github.com/brownout-go/brownout/syncproto"
)

func TestMain(m *testing.M) { leak.Main(m) }

// double is a store made to have the defects of the first server, one at a
// time, and some more. Without one it keeps the contract.
type double struct {
	defect string

	mu    sync.Mutex
	state map[syncproto.Key]*doubleState
	old   map[syncproto.Key]doubleState // for stale reads
	count int
}

type doubleState struct {
	syncproto.State
	records map[string]syncproto.Record
	ids     map[string]syncproto.Time
	made    bool
	bytes   int64
}

var defects = []string{
	"one time for all writes of a tick",
	"time taken before the transaction",
	"condition checked before the transaction",
	"push in two halves",
	"deletion is no modification",
	"uuid of the earlier life",
	"new uuid with every push",
	"copies written again",
	"acknowledged and lost",
	"old state read",
	"since not strict",
	"deletion keeps records",
	"refuses without a reason",
	"page ends within a write",
	"page hides that there is more",
	"quota ignored",
	"quota counts what is replaced",
	"refused write leaves its first app",
	"refused write makes its collection",
	"refused write is counted",
	"deletion gives no bytes back",
	"bytes of what is replaced stay counted",
	"bytes of this collection only",
	"bytes checked before the transaction",
	"deleted collections not counted",
	"count of apps wrong in the end",
}

func (d *double) has(defect string) bool { return d.defect == defect }

func (d *double) open(key syncproto.Key) *doubleState {
	if d.state == nil {
		d.state, d.old = map[syncproto.Key]*doubleState{}, map[syncproto.Key]doubleState{}
	}
	s := d.state[key]
	if s == nil {
		s = &doubleState{records: map[string]syncproto.Record{}, ids: map[string]syncproto.Time{}}
		d.state[key] = s
	}
	return s
}

func (d *double) State(_ context.Context, key syncproto.Key) (syncproto.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open(key).State, nil
}

func (d *double) Ping(context.Context) error { return nil }

func (d *double) Read(_ context.Context, key syncproto.Key, since syncproto.Time, limit int, begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	time.Sleep(time.Millisecond)
	d.mu.Lock()
	s := *d.open(key)
	s.records = maps.Clone(s.records)
	if d.count++; d.has("old state read") && d.count%4 == 0 {
		s = d.old[key]
	}
	d.mu.Unlock()
	if err := begin(s.State); err != nil {
		return false, err
	}
	n, last := 0, syncproto.Time(0)
	for _, r := range slices.SortedFunc(maps.Values(s.records), func(a, b syncproto.Record) int { return int(a.Time - b.Time) }) {
		if r.Time <= since {
			continue
		}
		if limit > 0 && n >= limit && (r.Time != last || d.has("page ends within a write")) {
			return !d.has("page hides that there is more"), nil
		}
		if err := each(r); err != nil {
			return false, err
		}
		n, last = n+1, r.Time
	}
	return false, nil
}

func (d *double) Write(_ context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	early := syncproto.TimeOf(time.Now())
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.open(key)
	pause := func() {
		d.mu.Unlock()
		time.Sleep(3 * time.Millisecond)
		d.mu.Lock()
	}
	res := syncproto.Result{Time: s.Last, Previous: s.Last, UUID: s.UUID}
	if t, ok := s.ids[w.ID]; ok && !d.has("copies written again") {
		res.Time, res.Replayed = t, true
		return res, nil
	}
	if t := w.IfUnmodifiedSince; t != nil && w.Delete == nil && s.Last != 0 && s.Last > *t {
		return res, syncproto.ErrConflict
	}
	d.count++
	if d.has("refuses without a reason") && w.IfUnmodifiedSince != nil && d.count%5 == 0 {
		return res, syncproto.ErrConflict
	}
	n := 0
	for _, a := range w.Apps {
		if _, ok := s.records[a.Origin]; !ok || d.has("quota counts what is replaced") {
			n++
		}
	}
	if q := w.Quota.Apps; q > 0 && n > 0 && len(s.records)+n > q && !d.has("quota ignored") {
		return res, &syncproto.QuotaError{What: "apps", Limit: int64(q), Have: int64(len(s.records) + n)}
	}
	if err := d.account(key, w); err != nil {
		return res, err
	}
	if w.Quota.Bytes > 0 && d.has("bytes checked before the transaction") {
		pause()
	}
	if d.has("condition checked before the transaction") || d.has("time taken before the transaction") {
		pause()
	}
	if w.Delete != nil && s.Deleted != nil {
		s.ids[w.ID] = s.Last
		return res, nil
	}
	at := max(early, s.Last+1)
	switch {
	case d.has("one time for all writes of a tick"):
		at = max(syncproto.TimeOf(time.Now()), s.Last)
	case d.has("time taken before the transaction"):
		at = early
	case d.has("deletion is no modification") && w.Delete != nil:
		at = s.Last
	}
	res.Previous, s.made = s.Last, true
	d.old[key] = doubleState{State: s.State, records: maps.Clone(s.records)}
	s.Last, s.ids[w.ID] = at, at
	if d.has("acknowledged and lost") && d.count%6 == 0 {
		res.Time = at
		return res, nil
	}
	if w.Delete != nil {
		s.Deleted = w.Delete
		if !d.has("uuid of the earlier life") {
			s.UUID = ""
		}
		if !d.has("deletion keeps records") {
			clear(s.records)
		}
		if !d.has("deletion gives no bytes back") {
			s.bytes = 0
		}
	} else {
		s.Deleted = nil
		if s.UUID == "" || d.has("new uuid with every push") {
			s.UUID = uuid.New()
		}
		for i, a := range w.Apps {
			if i > 0 && d.has("push in two halves") {
				pause()
			}
			s.bytes += d.adds(s, a)
			s.records[a.Origin] = syncproto.Record{Time: at, App: a}
		}
	}
	res.Time, res.UUID = at, s.UUID
	return res, nil
}

// adds is how many bytes an app adds to what is counted.
func (d *double) adds(s *doubleState, a syncproto.App) int64 {
	if d.has("bytes of what is replaced stay counted") {
		return int64(len(a.Doc))
	}
	return int64(len(a.Doc) - len(s.records[a.Origin].Doc))
}

// account refuses what is too much for the user.
func (d *double) account(key syncproto.Key, w syncproto.Write) error {
	s, collections, total, added := d.open(key), 1, int64(0), int64(0)
	for k, other := range d.state {
		if k.User != key.User || k != key && d.has("bytes of this collection only") {
			continue
		}
		total += other.bytes
		if k != key && other.made && (other.Deleted == nil || !d.has("deleted collections not counted")) {
			collections++
		}
	}
	for _, a := range w.Apps {
		added += d.adds(s, a)
	}
	var err error
	if q := w.Quota.Collections; q > 0 && !s.made && collections > q {
		err = &syncproto.QuotaError{What: "collections", Limit: int64(q), Have: int64(collections)}
	}
	if q := w.Quota.Bytes; q > 0 && added > 0 && total+added > q {
		err = &syncproto.QuotaError{What: "bytes", Limit: q, Have: total + added}
	}
	if err == nil {
		return nil
	}
	if d.has("refused write leaves its first app") {
		s.records[w.Apps[0].Origin] = syncproto.Record{Time: s.Last, App: w.Apps[0]}
	}
	if d.has("refused write is counted") {
		s.bytes += added
	}
	if d.has("refused write makes its collection") {
		s.made = true
	}
	return err
}

func (d *double) Collections(_ context.Context, user string) (all []syncproto.Usage, _ error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, s := range d.state {
		if k.User == user && s.made {
			u := syncproto.Usage{Collection: k.Collection, State: s.State, Apps: len(s.records), Bytes: s.bytes}
			if d.has("count of apps wrong in the end") {
				u.Apps++
			}
			all = append(all, u)
		}
	}
	return all, nil
}

// sinceNotStrict makes a read give what it gave before.
type sinceNotStrict struct{ *double }

func (d sinceNotStrict) Read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int, begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	return d.double.Read(ctx, key, since-1, limit, begin, func(r syncproto.Record) error {
		return each(r)
	})
}

// histories makes up to n of them and returns what was wrong with the first
// that had anything wrong.
func histories(t *testing.T, n int, open func() []syncproto.Store) []string {
	return seeds(t, n, func(t *testing.T, seed uint64) (*history, error) {
		var places []place
		for _, s := range open() {
			places = append(places, direct{s})
		}
		return record(t.Context(), rand.New(rand.NewPCG(seed, 0)), new(history), places, nil)
	})
}

func seeds(t *testing.T, n int, record func(*testing.T, uint64) (*history, error)) (wrong []string) {
	for seed := range uint64(n) {
		synctest.Test(t, func(t *testing.T) {
			h, err := record(t, seed)
			if err != nil {
				wrong = []string{err.Error()}
				return
			}
			wrong = h.check()
		})
		if len(wrong) > 0 {
			return wrong
		}
	}
	return nil
}

func TestCheckerCatchesDefects(t *testing.T) {
	for _, defect := range defects {
		t.Run(strings.ReplaceAll(defect, " ", "_"), func(t *testing.T) {
			wrong := histories(t, 60, func() []syncproto.Store {
				d := &double{defect: defect}
				if defect == "since not strict" {
					return []syncproto.Store{sinceNotStrict{d}}
				}
				return []syncproto.Store{d}
			})
			if len(wrong) == 0 {
				t.Fatal("not caught in 60 histories")
			}
			t.Logf("%.300s", wrong[0])
		})
	}
}

func TestCheckerAcceptsWhatIsRight(t *testing.T) {
	if wrong := histories(t, 60, func() []syncproto.Store { return []syncproto.Store{new(double)} }); len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
}

func TestHistoriesOfMemory(t *testing.T) {
	n := 200
	if testing.Short() {
		n = 20
	}
	if wrong := histories(t, n, func() []syncproto.Store { return []syncproto.Store{new(syncproto.Memory)} }); len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
}

// flaky is a database at the end of a bad connection: some calls fail before
// they get there, some after.
type flaky struct {
	syncproto.Store
	mu  sync.Mutex
	rng *rand.Rand
}

var errCut = errors.New("connection cut")

func (f *flaky) cut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(5) == 0
}

func (f *flaky) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	if f.cut() {
		return syncproto.Result{}, errCut
	}
	res, err := f.Store.Write(ctx, key, w)
	if f.cut() {
		return syncproto.Result{}, errCut
	}
	return res, err
}

func (f *flaky) Read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int, begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	more, err := f.Store.Read(ctx, key, since, limit, begin, func(r syncproto.Record) error {
		if f.cut() {
			return errCut
		}
		return each(r)
	})
	return more, err
}

func (f *flaky) Collections(ctx context.Context, user string) ([]syncproto.Usage, error) {
	if f.cut() {
		return nil, errCut
	}
	return f.Store.(counter).Collections(ctx, user)
}

// Failures of the connection are no fault of the store, and must not hide one.
func TestHistoriesOverABadConnection(t *testing.T) {
	over := func(open func() syncproto.Store) func() []syncproto.Store {
		seed := uint64(0)
		return func() []syncproto.Store {
			db := open()
			seed++
			return []syncproto.Store{&flaky{Store: db, rng: rand.New(rand.NewPCG(seed, 1))}, &flaky{Store: db, rng: rand.New(rand.NewPCG(seed, 2))}}
		}
	}
	if wrong := histories(t, 100, over(func() syncproto.Store { return new(syncproto.Memory) })); len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
	for _, defect := range defects {
		if defect == "since not strict" {
			continue // and is found by every read
		}
		if len(histories(t, 100, over(func() syncproto.Store { return &double{defect: defect} }))) == 0 {
			t.Errorf("%s: not caught in 100 histories", defect)
		}
	}
}

// A uuid that is not the one of before shows in reads alone, if need be.
func TestCheckerKnowsLivesByReads(t *testing.T) {
	key := syncproto.Key{User: "ann@example.com", Collection: "apps"}
	push := func(at syncproto.Time) *writeOp {
		return &writeOp{span: span{int(at), int(at) + 1}, key: key, tries: 2,
			write: syncproto.Write{Apps: []syncproto.App{app("a", `{}`)}}, res: syncproto.Result{Time: at}}
	}
	read := func(begin int, at syncproto.Time, uuid string) *readOp {
		r := &readOp{span: span{begin, begin + 1}, key: key}
		r.page.state = syncproto.State{Last: at, UUID: uuid}
		r.page.records = []syncproto.Record{{App: app("a", `{}`)}}
		return r
	}
	gone := &writeOp{span: span{20, 21}, key: key, tries: 1, write: syncproto.Write{Delete: new(syncproto.Deletion)}, res: syncproto.Result{Time: 20, Previous: 10}}
	for name, c := range map[string]struct {
		reads []*readOp
		want  string
	}{
		"right":            {[]*readOp{read(12, 10, "u"), read(14, 10, "u"), read(32, 30, "v")}, ""},
		"two in a life":    {[]*readOp{read(12, 10, "u"), read(14, 10, "v")}, "another uuid within a life"},
		"one in two lives": {[]*readOp{read(12, 10, "u"), read(32, 30, "u")}, "a uuid of another life"},
		"none":             {[]*readOp{read(12, 10, "")}, "no uuid"},
	} {
		h := &history{writes: []*writeOp{push(10), gone, push(30)}, reads: c.reads}
		wrong := strings.Join(h.check(), "\n")
		if c.want == "" && wrong != "" || !strings.Contains(wrong, c.want) {
			t.Errorf("%s: %q, want %q", name, wrong, c.want)
		}
	}
}
