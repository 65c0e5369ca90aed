package syncproto

// idLog is what [Memory] remembers of the IDs of one collection's writes.
type idLog struct {
	times map[string]Time
	order []idEntry // in ascending order of time
}

type idEntry struct {
	id string
	at Time
}

func (l *idLog) find(id string) (Time, bool) {
	if id == "" {
		return 0, false
	}
	t, ok := l.times[id]
	return t, ok
}

func (l *idLog) add(id string, at Time) {
	if id == "" {
		return
	}
	if l.times == nil {
		l.times = make(map[string]Time)
	}
	l.times[id] = at
	l.order = append(l.order, idEntry{id, at})
	old := at - Time(IDRetention/tick)
	drop := max(0, len(l.order)-IDsKept)
	for drop < len(l.order) && l.order[drop].at < old {
		drop++
	}
	for _, e := range l.order[:drop] {
		delete(l.times, e.id)
	}
	l.order = l.order[drop:]
}
