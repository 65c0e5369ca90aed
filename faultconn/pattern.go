package faultconn

// pattern is a text to be found in a stream that comes in pieces, by Knuth,
// Morris and Pratt: nothing that has passed is looked at again.
type pattern struct {
	text string
	back []int // how much of the text is still matched when the next byte does not match
}

func newPattern(text string) pattern {
	p := pattern{text, make([]int, len(text))}
	for i, k := 1, 0; i < len(text); i++ {
		for k > 0 && text[i] != text[k] {
			k = p.back[k-1]
		}
		if text[i] == text[k] {
			k++
		}
		p.back[i] = k
	}
	return p
}

// scan goes on from a state to the end of the first match in data, or to the
// end of data.
func (p pattern) scan(state int, data []byte) (next, n int, found bool) {
	for i, c := range data {
		for state > 0 && (state == len(p.text) || p.text[state] != c) {
			state = p.back[state-1]
		}
		if p.text[state] == c {
			state++
		}
		if state == len(p.text) {
			return state, i + 1, true
		}
	}
	return state, len(data), false
}

// search is what one connection has seen of a pattern.
type search struct {
	state [2]int // by direction
	seen  bool
	in    int // the exchange in which it was seen
}

// found reports whether the pattern, if there is one, has passed in the
// exchange.
func (s *search) found(p pattern, exchange int) bool {
	return p.text == "" || s.seen && s.in == exchange
}

// ahead is how many bytes there are to the end of the first match in data, or
// of data.
func (s *search) ahead(p pattern, dir int, data []byte) int {
	_, n, _ := p.scan(s.state[dir], data)
	return n
}

// pass notes that data have passed.
func (s *search) pass(p pattern, dir int, data []byte, exchange int) {
	for p.text != "" && len(data) > 0 {
		state, n, found := p.scan(s.state[dir], data)
		s.state[dir], data = state, data[n:]
		if found {
			s.seen, s.in = true, exchange
		}
	}
}
