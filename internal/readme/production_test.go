package readme

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/timeout"
)

func protect(api http.Handler, operator *backoff.Source, database driver.Connector) (http.Handler, *sql.DB, error) {
	budget, err := timeout.New(timeout.Config{
		Total: 2 * time.Second,
		RetryAfter: func(*timeout.Error) time.Duration { // no sooner than the operator asks
			return max(operator.Current().Interval, time.Minute)
		},
	})
	if err != nil {
		return nil, nil, err
	}
	ease, err := backoff.Policy{Current: operator.Current}.Middleware()
	if err != nil {
		return nil, nil, err
	}
	guard, err := timeout.NewBackend(timeout.BackendConfig{Name: "db", Call: 500 * time.Millisecond, Slots: 20})
	if err != nil {
		return nil, nil, err
	}
	return budget.Handler(ease(api)), sql.OpenDB(guard.Connector(database)), nil
}

// hung is a database that accepts nobody.
type hung struct{}

func (hung) Connect(ctx context.Context) (driver.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hung) Driver() driver.Driver { return nil }

func TestProtect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(backoff.Memory)
		operator, err := backoff.NewSource(backoff.SourceConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer operator.Close()
		if err := store.Set(t.Context(), backoff.Value{Interval: 300 * time.Second}); err != nil {
			t.Fatal(err)
		}
		if err := operator.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		var db *sql.DB
		api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/db":
				if err := db.PingContext(r.Context()); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a hung database gives %v", err)
				}
			case "/stuck":
				<-r.Context().Done()
			}
		})
		handler, db, err := protect(api, operator, hung{})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for path, want := range map[string]struct {
			status           int
			poll, retryAfter string
			took             time.Duration
		}{
			"/":      {200, "300", "", 0},
			"/db":    {200, "300", "", 500 * time.Millisecond},
			"/stuck": {503, "", "300", 1900 * time.Millisecond},
		} {
			start, w := time.Now(), httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if w.Code != want.status || w.Header().Get("X-Sync-Poll") != want.poll ||
				w.Header().Get("Retry-After") != want.retryAfter || time.Since(start) != want.took {
				t.Errorf("%s: %d after %v, %v; want %+v", path, w.Code, time.Since(start), w.Header(), want)
			}
		}
	})
}
