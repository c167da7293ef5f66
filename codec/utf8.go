package codec

import "encoding/binary"

// Text must be UTF-8 (RFC 6455 §8.1), and a violation is told at the first
// octet that no further octet can repair, wherever reads, frames and fragments
// cut the text. So the validator is an automaton that can rest at any octet.
//
// It is a shift-based automaton (Per Vognsen, "Shift-based DFAs", 2019): a state
// is a shift count, a row of the table is the transitions of one octet packed
// into 64 bits, and a step is one shift, with no branch and no dependent load.
//
// Most text never meets it. Where there are kernels for the processor, they pass
// over what has no fault, vectors at a time, from a boundary on:
//
//	│ automaton │           kernel            │  automaton  │
//	│ rest of a │ octets that have no fault,  │ the group with the fault, 256
//	│ sequence  │ less a sequence that is cut │ octets, or the cut sequence
//	▲           ▲                             ▲
//	b      boundary                      boundary
//
// So of the octets that were found good three at most are looked at again.

// A utf8State is what the automaton knows between two octets: how much of a
// sequence is still to come and from which range (RFC 3629 §4).
type utf8State uint8

const (
	utf8Accept utf8State = 6 * iota // at a boundary
	utf8Tail1                       // one more of 80-BF
	utf8Tail2                       // two more of 80-BF
	utf8Tail3                       // three more of 80-BF
	utf8E0                          // A0-BF, then one more: no overlong form
	utf8ED                          // 80-9F, then one more: no surrogate
	utf8F0                          // 90-BF, then two more: no overlong form
	utf8F4                          // 80-8F, then two more: nothing above U+10FFFF
	utf8Reject                      // hopeless, for good
)

// need returns how many octets at least are missing from a sequence.
func (s utf8State) need() int { return int(utf8Need[s/6]) }

// utf8MaxNeed is the most that need returns.
const utf8MaxNeed = 3

var utf8Need = [...]uint8{0, 1, 2, 3, 2, 2, 3, 3, 0}

// utf8Table[octet]>>state is the next state.
var utf8Table = makeUTF8Table()

func makeUTF8Table() (table [256]uint64) {
	add := func(from utf8State, lo, hi int, to utf8State) {
		for b := lo; b <= hi; b++ {
			table[b] &^= 63 << from
			table[b] |= uint64(to) << from
		}
	}
	for s := utf8Accept; s <= utf8Reject; s += 6 {
		add(s, 0x00, 0xFF, utf8Reject)
	}
	add(utf8Accept, 0x00, 0x7F, utf8Accept)
	add(utf8Accept, 0xC2, 0xDF, utf8Tail1)
	add(utf8Accept, 0xE0, 0xE0, utf8E0)
	add(utf8Accept, 0xE1, 0xEF, utf8Tail2)
	add(utf8Accept, 0xED, 0xED, utf8ED)
	add(utf8Accept, 0xF0, 0xF0, utf8F0)
	add(utf8Accept, 0xF1, 0xF3, utf8Tail3)
	add(utf8Accept, 0xF4, 0xF4, utf8F4)
	add(utf8Tail1, 0x80, 0xBF, utf8Accept)
	add(utf8Tail2, 0x80, 0xBF, utf8Tail1)
	add(utf8Tail3, 0x80, 0xBF, utf8Tail2)
	add(utf8E0, 0xA0, 0xBF, utf8Tail1)
	add(utf8ED, 0x80, 0x9F, utf8Tail1)
	add(utf8F0, 0x90, 0xBF, utf8Tail2)
	add(utf8F4, 0x80, 0x8F, utf8Tail2)
	return table
}

const notASCII = 0x8080808080808080

// scan goes on from state s over b. n is the index of the first hopeless octet,
// or len(b); next is the state after b[:n].
func (s utf8State) scan(b []byte) (n int, next utf8State) {
	if s != utf8Accept {
		n, s = s.walk(b[:min(s.need(), len(b))])
		if s != utf8Accept {
			return n, s // hopeless, or still open at the end of b
		}
		b = b[n:]
	}
	if len(b) <= 64 && isASCII(b) {
		return n + len(b), utf8Accept
	}
	good := boundary(b[:scanVector(b)])
	if good == len(b) {
		return n + good, utf8Accept
	}
	rest, next := utf8Accept.scanGeneric(b[good:])
	return n + good + rest, next
}

// boundary returns the length of b, which has no fault, without a sequence that
// its end cuts.
func boundary(b []byte) int {
	n := len(b)
	switch {
	case n >= 1 && b[n-1] >= 0xC0:
		return n - 1
	case n >= 2 && b[n-2] >= 0xE0:
		return n - 2
	case n >= 3 && b[n-3] >= 0xF0:
		return n - 3
	}
	return n
}

// isASCII reports whether b, of at most 64 octets, is ASCII: by words from the
// front and as many from the end, which overlap.
func isASCII(b []byte) bool {
	le := binary.LittleEndian
	n := len(b)
	switch {
	case n > 32:
		return (le.Uint64(b)|le.Uint64(b[8:])|le.Uint64(b[16:])|le.Uint64(b[24:])|
			le.Uint64(b[n-32:])|le.Uint64(b[n-24:])|le.Uint64(b[n-16:])|le.Uint64(b[n-8:]))&notASCII == 0
	case n >= 16:
		return (le.Uint64(b)|le.Uint64(b[8:])|le.Uint64(b[n-16:])|le.Uint64(b[n-8:]))&notASCII == 0
	case n >= 8:
		return (le.Uint64(b)|le.Uint64(b[n-8:]))&notASCII == 0
	case n >= 4:
		return (le.Uint32(b)|le.Uint32(b[n-4:]))&(notASCII&(1<<32-1)) == 0
	case n > 0:
		return (b[0]|b[n>>1]|b[n-1])&0x80 == 0
	}
	return true
}

// scanGeneric is scan in Go, which serves where there is no kernel and is what
// the kernels are held against. Runs of ASCII are passed by words.
func (s utf8State) scanGeneric(b []byte) (n int, next utf8State) {
	for n < len(b) {
		if s == utf8Accept {
			n += ascii(b[n:])
		}
		block := b[n:min(n+16, len(b))]
		state := uint64(s)
		for _, octet := range block {
			state = utf8Table[octet] >> (state & 63)
		}
		if utf8State(state&63) == utf8Reject {
			k, last := s.walk(block)
			return n + k, last
		}
		s = utf8State(state & 63)
		n += len(block)
	}
	return n, s
}

// ascii returns the length of a run of ASCII that b begins with: whole words of
// it, and not always all.
func ascii(b []byte) (n int) {
	le := binary.LittleEndian
	for len(b)-n >= 32 {
		if w := (*[32]byte)(b[n:]); (le.Uint64(w[:])|le.Uint64(w[8:])|le.Uint64(w[16:])|le.Uint64(w[24:]))&notASCII != 0 {
			break
		}
		n += 32
	}
	for len(b)-n >= 8 && le.Uint64(b[n:])&notASCII == 0 {
		n += 8
	}
	return n
}

// walk is scan by single steps: the slow search for the octet at fault.
func (s utf8State) walk(b []byte) (n int, next utf8State) {
	for n < len(b) {
		t := utf8State(utf8Table[b[n]] >> s & 63)
		if t == utf8Reject {
			break
		}
		s = t
		n++
	}
	return n, s
}

// upTo returns how much of b may be taken of text that ends rest octets behind b, if
// b[:n] was found good and s is the state after it. A sequence for which the end comes
// too early is hopeless from its lead on, whatever follows the lead. One that was open
// before b must not be: see Parser.judge.
func (s utf8State) upTo(b []byte, n int, rest int64) int {
	if int64(s.need()) > int64(len(b)-n)+rest {
		n-- // b[:n] ends inside the sequence: back to its lead
		for b[n]&0xC0 == 0x80 {
			n--
		}
	}
	return n
}

// scanUpTo is scan of text that ends rest octets behind b.
func (s utf8State) scanUpTo(b []byte, rest int64) (n int) {
	n, next := s.scan(b)
	return next.upTo(b, n, rest)
}
