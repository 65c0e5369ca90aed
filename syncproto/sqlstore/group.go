package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// maxGroup bounds how many records the pieces of work write that share a
// transaction, and so how long each waits for the others. One alone may write
// more.
const maxGroup = 200

// group runs transactions of a database that takes one writer at a time. Those
// that arrive while one is being committed share the next one, so that many
// clients together pay for one flush of the disk. Each piece of work still
// happens whole or not at all, and is done only once it is committed.
//
// The work runs in the goroutine of one of the callers: there is nothing to
// close.
type group struct {
	store   *Store
	writing chan struct{} // holds a token while somebody writes

	mu      sync.Mutex
	waiting []*job
}

// job is one call of do.
type job struct {
	ctx   context.Context
	f     func(*tx) error
	rows  int // that f writes, about
	since time.Time
	done  chan struct{} // closed when finished

	finished bool
	err      error
}

func newGroup(s *Store) *group {
	return &group{store: s, writing: make(chan struct{}, 1)}
}

// do runs f in a transaction.
func (g *group) do(ctx context.Context, rows int, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j := &job{ctx: ctx, f: f, rows: rows, since: time.Now(), done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, j)
	g.mu.Unlock()
	for {
		select {
		case <-j.done:
			return j.err
		case g.writing <- struct{}{}:
			g.lead()
		case <-ctx.Done():
			if g.leave(j) {
				return ctx.Err()
			}
			<-j.done // somebody is at it
			return j.err
		}
	}
}

// leave takes a job back that nobody has begun.
func (g *group) leave(j *job) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == j {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// take takes the jobs that are next.
func (g *group) take() []*job {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, rows := 0, 0
	for _, j := range g.waiting {
		if rows += j.rows; n > 0 && rows > maxGroup {
			break
		}
		n++
	}
	jobs := append([]*job(nil), g.waiting[:n]...)
	g.waiting = append(g.waiting[:0], g.waiting[n:]...)
	return jobs
}

// lead does what is waiting, for everybody. While another process has the
// database it tries again and again, each time without those whose context has
// ended.
func (g *group) lead() {
	jobs := g.take()
	defer func(all []*job) {
		<-g.writing
		for _, j := range all { // nobody must wait for ever for one that panicked
			if !j.finished {
				j.finish(errors.New("another write in the same transaction panicked"))
			}
		}
	}(jobs)
	for pause := time.Millisecond; len(jobs) > 0; pause = longer(pause) {
		busy := g.run(jobs)
		if busy == nil {
			return
		}
		time.Sleep(pause)
		var left []*job
		for _, j := range jobs {
			switch {
			case j.ctx.Err() != nil:
				j.finish(fmt.Errorf("%w: %w", j.ctx.Err(), busy))
			case time.Since(j.since) > patience:
				j.finish(busy)
			default:
				left = append(left, j)
			}
		}
		jobs = left
	}
}

func (j *job) finish(err error) {
	j.finished, j.err = true, err
	close(j.done)
}

// run does the jobs in one transaction and finishes them. If something goes
// wrong that is not a refusal, each is done again in a transaction of its own,
// so that one can't spoil the others. If another process has the database it
// finishes none and returns that error.
func (g *group) run(jobs []*job) (busy error) {
	s := g.store
	refused := make([]error, len(jobs))
	err := s.once(context.Background(), context.Background(), func(t *tx) error {
		for i, j := range jobs {
			err := j.f(&tx{t.sql, j.ctx, t.during})
			var r refusal
			if errors.As(err, &r) {
				refused[i] = r.error
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	switch {
	case err == nil:
		for i, j := range jobs {
			j.finish(refused[i])
		}
	case s.dialect.again(err):
		return err
	case len(jobs) == 1:
		jobs[0].finish(err)
	default:
		for _, j := range jobs {
			if err := g.run([]*job{j}); err != nil {
				j.finish(err)
			}
		}
	}
	return nil
}
