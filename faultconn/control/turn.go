package control

import "sync"

// turn is a lock that may be held across a wait: whoever waits for it waits on
// a channel, which tests in virtual time see.
type turn struct {
	once sync.Once
	c    chan struct{}
}

func (t *turn) Lock() {
	t.once.Do(func() { t.c = make(chan struct{}, 1) })
	t.c <- struct{}{}
}

func (t *turn) Unlock() { <-t.c }
