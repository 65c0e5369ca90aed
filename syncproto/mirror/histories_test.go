package mirror_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/mirror"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

// mortal is a mirror that stops and is started again, in the midst of what goes
// on, as a server's process is. What was waiting to be copied is forgotten.
type mortal struct {
	*syncproto.Memory // the primary
	now               atomic.Pointer[mirror.Store]
	writes            atomic.Int32
	restart           func()
}

func (m *mortal) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	if m.writes.Add(1)%25 == 0 {
		m.restart()
	}
	return m.now.Load().Write(ctx, key, w)
}

// TestHistories: devices do as they please while the secondary fails for a
// while, again and again, and the mirror is started anew; no answer shows it,
// and when all is well again the secondary has what the primary has.
func TestHistories(t *testing.T) {
	for name, c := range map[string]mirror.Config{
		"all":       {Retry: time.Millisecond},
		"forgetful": {Retry: time.Millisecond, Pending: 1, Workers: 1}, // and so compares
	} {
		t.Run(name, func(t *testing.T) {
			// One mirror for all histories: the collections of all of them
			// are compared and repaired while the later ones go on.
			primary, sec := new(syncproto.Memory), new(secondary)
			m := &mortal{Memory: primary}
			c.Primary, c.Secondary = primary, sec
			var failures, starts atomic.Int32
			c.OnEvent = func(e mirror.Event) {
				if e.Err != nil {
					failures.Add(1)
				}
			}
			var one sync.Mutex
			m.restart = func() {
				if !one.TryLock() {
					return // it is being restarted
				}
				defer one.Unlock()
				starts.Add(1)
				if old := m.now.Load(); old != nil {
					old.Close()
				}
				s, err := mirror.New(c)
				if err != nil {
					t.Error(err)
					return
				}
				m.now.Store(s)
				// It may fail, as the secondary does; then the next one repairs.
				_, _ = s.Repair(t.Context())
			}
			m.restart()
			defer func() { m.now.Load().Close() }()
			made := 0
			storetest.Histories(t, 20, 1, func(*testing.T) []syncproto.Store {
				made++
				return []syncproto.Store{m, flapping{m, sec}}
			})

			sec.down.Store(false)
			last := m.now.Load()
			if _, err := last.Repair(t.Context()); err != nil {
				t.Fatal(err)
			}
			synced(t, last)
			users, err := primary.Users(t.Context(), "", 1<<20)
			if err != nil || len(users) < made {
				t.Fatalf("%d users after %d histories, %v", len(users), made, err)
			}
			for _, user := range users {
				for _, name := range []string{"apps", "more"} {
					same(t, primary, sec, syncproto.Key{User: user, Collection: name})
				}
			}
			if made < 20 {
				return // not all, but those that -run asks for
			}
			if failures.Load() == 0 || starts.Load() < 5 {
				t.Errorf("the secondary failed %d times, the mirror was started %d times: too good a day", failures.Load(), starts.Load())
			}
			t.Logf("%d collections; the secondary failed %d times, the mirror was started %d times", 2*len(users), failures.Load(), starts.Load())
		})
	}
}

// flapping has the secondary fail for every other twenty writes.
type flapping struct {
	*mortal
	sec *secondary
}

func (f flapping) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	f.sec.down.Store(f.writes.Load()/20%2 == 1)
	return f.mortal.Write(ctx, key, w)
}
