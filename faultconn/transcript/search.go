package transcript

import (
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// search goes through a stream to know where the earliest match could have begun
// that is not over: package regexp does not tell. It is Pike's simulation of the
// expression (https://swtch.com/~rsc/regexp/regexp2.html#pike), in which each
// thread knows its beginning.
type search struct {
	*secret
	prev    rune     // -1 at the beginning of the stream
	threads []thread // of matches that could go on, in the order of preference
	takes   []thread // scratch: what they have come to
	seen    []int    // by instruction: the last step in which it was come to
	step    int
}

// thread is a match that began at an offset and has come to an instruction.
type thread struct {
	pc    uint32
	begin int64
}

func newSearch(of *secret) search {
	return search{secret: of, prev: -1, seen: make([]int, len(of.prog.Inst))}
}

// clone is a search that goes on from here by itself.
func (s search) clone() search {
	s.threads, s.takes, s.seen = slices.Clone(s.threads), nil, slices.Clone(s.seen)
	return s
}

// feed takes the data at an offset and returns how many bytes there are to the
// beginning of a character that has not come whole.
func (s *search) feed(data []byte, at int64) int {
	n := 0
	for n < len(data) {
		if c := data[n]; len(s.threads) == 0 && c < utf8.RuneSelf && !s.first[c] {
			s.prev = rune(c) // most of a stream, and nothing begins or ends here
			n++
			continue
		}
		if !utf8.FullRune(data[n:]) {
			break
		}
		r, size := utf8.DecodeRune(data[n:])
		s.take(r, at+int64(n))
		n += size
	}
	return n
}

// take goes on by the character at an offset.
func (s *search) take(r rune, at int64) {
	here := syntax.EmptyOpContext(s.prev, r)
	s.step++
	s.takes = s.takes[:0]
	for _, t := range s.threads {
		if s.reach(t.pc, t.begin, here) {
			break // a match ends here: those after it have lost
		}
	}
	s.reach(uint32(s.prog.Start), at, here)
	s.threads = s.threads[:0]
	for _, t := range s.takes {
		if i := &s.prog.Inst[t.pc]; i.MatchRune(r) {
			s.threads = append(s.threads, thread{i.Out, t.begin})
		}
	}
	s.prev = r
}

// reach collects what takes a character and can be come to from pc where the
// assertions hold that here has, up to the end of a match.
func (s *search) reach(pc uint32, begin int64, here syntax.EmptyOp) (matched bool) {
	if s.seen[pc] == s.step {
		return false // by a match that is preferred
	}
	s.seen[pc] = s.step
	switch i := &s.prog.Inst[pc]; i.Op {
	case syntax.InstMatch:
		return true
	case syntax.InstAlt, syntax.InstAltMatch:
		return s.reach(i.Out, begin, here) || s.reach(i.Arg, begin, here)
	case syntax.InstCapture, syntax.InstNop:
		return s.reach(i.Out, begin, here)
	case syntax.InstEmptyWidth:
		return syntax.EmptyOp(i.Arg)&^here == 0 && s.reach(i.Out, begin, here)
	case syntax.InstFail:
		return false
	}
	s.takes = append(s.takes, thread{pc, begin})
	return false
}

// undecided is where the earliest match could have begun that is not over, in
// the stream up to end, of which the last so many bytes are a character that has
// not come whole; end if there is none.
func (s *search) undecided(end int64, partial int) int64 {
	s.step++
	for _, t := range s.threads {
		open, matched := s.goesOn(t.pc)
		if open {
			return t.begin
		}
		if matched {
			break
		}
	}
	if s.wide {
		return end - int64(partial)
	}
	return end
}

// goesOn reports whether what comes next may have a say from pc on, before a
// match ends here.
func (s *search) goesOn(pc uint32) (open, matched bool) {
	if s.seen[pc] == s.step {
		return false, false
	}
	s.seen[pc] = s.step
	const behind = syntax.EmptyBeginLine | syntax.EmptyBeginText
	switch i := &s.prog.Inst[pc]; i.Op {
	case syntax.InstMatch:
		return false, true
	case syntax.InstAlt, syntax.InstAltMatch:
		if open, matched = s.goesOn(i.Out); open || matched {
			return open, matched
		}
		return s.goesOn(i.Arg)
	case syntax.InstCapture, syntax.InstNop:
		return s.goesOn(i.Out)
	case syntax.InstEmptyWidth:
		if want := syntax.EmptyOp(i.Arg); want&^behind != 0 {
			return true, false
		} else if want&^syntax.EmptyOpContext(s.prev, 'x') != 0 {
			return false, false
		}
		return s.goesOn(i.Out)
	case syntax.InstFail:
		return false, false
	}
	return true, false
}
