package syncproto

import "strings"

// etag names the state of a collection. The answer to one URL is a function of
// it, so it is strong; since times never come back, its second half alone tells
// all states of a collection apart.
func (st State) etag() string {
	life := st.UUID
	switch {
	case st.Deleted != nil:
		life = "deleted"
	case life == "":
		life = "none"
	}
	var buf [64]byte // which holds one with a UUID
	b := append(append(append(buf[:0], '"'), life...), '-')
	return string(append(st.Last.append(b), '"'))
}

func (x *exchange) setETag(st State) { x.w.Header()["Etag"] = []string{st.etag()} }

// matches says whether a list of ETags, as in If-None-Match, has this one.
func matches(list, etag string) bool {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ",")
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == etag {
			return true
		}
	}
	return false
}

// etagTime returns the time in an ETag that etag made.
func etagTime(s string) (Time, bool) {
	s, ok1 := strings.CutPrefix(s, `"`)
	s, ok2 := strings.CutSuffix(s, `"`)
	i := strings.LastIndexByte(s, '-')
	if !ok1 || !ok2 || i < 1 || strings.Contains(s, `"`) {
		return 0, false
	}
	t, err := ParseTime(s[i+1:])
	return t, err == nil
}
