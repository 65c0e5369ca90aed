package transcript

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// secret is one expression of Log.Mask.
type secret struct {
	expr  *regexp.Regexp
	prog  *syntax.Prog
	first [utf8.RuneSelf]bool // with which characters a match may begin
	wide  bool                // and with one of several bytes
}

func newSecret(expr *regexp.Regexp) *secret {
	text := expr.String()
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil { // then it is by CompilePOSIX
		parsed, _ = syntax.Parse(text, syntax.POSIX)
		text = parsed.String()
	}
	prog, _ := syntax.Compile(parsed.Simplify()) // which gives no error
	s := &secret{expr: regexp.MustCompile(text), prog: prog}
	begin := newSearch(s)
	begin.step++
	begin.reach(uint32(prog.Start), 0, ^syntax.EmptyOp(0))
	for _, t := range begin.takes {
		i := &prog.Inst[t.pc]
		s.wide = s.wide || wide(i)
		for c := range s.first {
			s.first[c] = s.first[c] || i.MatchRune(rune(c))
		}
	}
	return s
}

// wide reports whether the instruction takes characters of several bytes.
func wide(i *syntax.Inst) bool {
	if len(i.Rune) == 0 {
		return false
	}
	if last := i.Rune[len(i.Rune)-1]; last >= utf8.RuneSelf {
		return true
	}
	if len(i.Rune) == 1 && syntax.Flags(i.Arg)&syntax.FoldCase != 0 {
		for r := unicode.SimpleFold(i.Rune[0]); r != i.Rune[0]; r = unicode.SimpleFold(r) {
			if r >= utf8.RuneSelf {
				return true
			}
		}
	}
	return false
}

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

// uncut returns the last place up to cut that is not inside a match.
func uncut(found [][][]int, cut int) int {
	for moved := true; moved; {
		moved = false
		for _, matches := range found {
			for _, m := range matches {
				if m[0] < cut && cut < m[1] {
					cut, moved = m[0], true
				}
			}
		}
	}
	return cut
}

// masked is a copy of data with asterisks in the place of what was found.
func masked(data []byte, found [][][]int) []byte {
	data = slices.Clone(data)
	for _, matches := range found {
		for _, m := range matches {
			if len(m) > 2 {
				m = m[2:]
			}
			for i := 0; i+1 < len(m); i += 2 {
				stars(data, max(m[i], 0), m[i+1])
			}
		}
	}
	return data
}

// secretOf is where the first group of a match begins, or the match if it has no
// groups.
func secretOf(m []int) int {
	from := -1
	for i := 2; i+1 < len(m); i += 2 {
		if m[i] >= 0 && (from < 0 || m[i] < from) {
			from = m[i]
		}
	}
	if from < 0 {
		return m[0]
	}
	return from
}

func stars(data []byte, from, to int) {
	for i := from; i < to; i++ {
		data[i] = '*'
	}
}
