package codec

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// viable reports whether some text begins with b, by unicode/utf8 alone: the
// sequence that is open at the end of b has a completion.
func viable(b []byte) bool {
	for len(b) > 0 {
		_, size := utf8.DecodeRune(b)
		if !utf8.Valid(b[:size]) {
			break
		}
		b = b[size:]
	}
	// One octet of each range that RFC 3629 §4 has for a tail.
	tails := []byte{0x80, 0x90, 0xA0}
	var complete func(b []byte) bool
	complete = func(b []byte) bool {
		if utf8.Valid(b) {
			return true
		}
		for _, octet := range tails {
			if len(b) < utf8.UTFMax && complete(append(b[:len(b):len(b)], octet)) {
				return true
			}
		}
		return false
	}
	return complete(b)
}

// checkScan holds scan of b, at every split, to the index of the first hopeless octet.
func checkScan(t *testing.T, b []byte, want int) {
	if n, state := utf8Accept.scan(b); n != want || n == len(b) && (state == utf8Accept) != utf8.Valid(b) {
		t.Fatalf("% x: hopeless at %d, want %d; state %d", b, n, want, state)
	}
	for split := 1; split < len(b) && split <= want; split++ { // else it ends before the split
		n, state := utf8Accept.scan(b[:split])
		if n == split {
			n, state = state.scan(b[split:])
			n += split
		}
		if n != want || n == len(b) && (state == utf8Accept) != utf8.Valid(b) {
			t.Fatalf("% x split at %d: hopeless at %d, want %d; state %d", b, split, n, want, state)
		}
	}
}

// Every sequence of up to three octets, at every split. Hazard 11.
func TestUTF8EverySequenceOfThree(t *testing.T) {
	var pairs [1 << 16]bool // viable, by both octets
	for i := range pairs {
		pairs[i] = viable([]byte{byte(i >> 8), byte(i)})
	}
	b := make([]byte, 3)
	for first := range 256 {
		b[0] = byte(first)
		one := viable(b[:1])
		checkScan(t, b[:1], count(one))
		for second := range 256 {
			b[1] = byte(second)
			two := pairs[first<<8|second]
			checkScan(t, b[:2], count(one, two))
			for third := range 256 {
				b[2] = byte(third)
				three := two && (first < 0x80 && pairs[second<<8|third] || first >= 0x80 && viable(b))
				checkScan(t, b, count(one, two, three))
			}
		}
	}
}

// count returns how many of oks are true; they are true up to some place.
func count(oks ...bool) (n int) {
	for _, ok := range oks {
		if ok {
			n++
		}
	}
	return n
}

// Every sequence of four octets at the bounds of the classes and beside them.
// Hazard 11.
func TestUTF8BoundsOfFour(t *testing.T) {
	var bounds []byte
	for octet := range 256 {
		for _, edge := range []int{0x00, 0x80, 0x90, 0xA0, 0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xEE, 0xF0, 0xF1, 0xF4, 0xF5, 0x100} {
			if octet >= edge-2 && octet <= edge+1 {
				bounds = append(bounds, byte(octet))
				break
			}
		}
	}
	b := make([]byte, 4)
	for _, b[0] = range bounds {
		one := viable(b[:1])
		for _, b[1] = range bounds {
			two := one && viable(b[:2])
			for _, b[2] = range bounds {
				three := two && viable(b[:3])
				for _, b[3] = range bounds {
					checkScan(t, b, count(one, two, three, three && viable(b)))
				}
			}
		}
	}
}

// Long texts, where scan goes by eight and sixteen octets, with and without a
// fault, at random splits.
func TestUTF8LongTexts(t *testing.T) {
	words := []string{"a", strings.Repeat("ASCII, ", 5), "ó", "߿", "ࠀ", "€", "퟿", "\ue000", "\uffff", "𐀀", "😀", "\U0010ffff"}
	faults := []string{"\x80", "\xbf", "\xc0", "\xc1", "\xe0\x9f", "\xed\xa0", "\xf0\x8f", "\xf4\x90", "\xf5", "\xff", "\xe2a", "\xf0\x9fa"}
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var text []byte
		for range rng.IntN(40) {
			text = append(text, words[rng.IntN(len(words))]...)
		}
		want := len(text)
		if rng.IntN(2) == 0 {
			fault := faults[rng.IntN(len(faults))]
			want += len(fault) - 1
			behind := []string{"€ text ", "ASCII, more than eight, "}[rng.IntN(2)]
			text = append(append(text, fault...), strings.Repeat(behind, rng.IntN(9))...)
		}
		n, state := 0, utf8Accept
		for n < len(text) {
			size := 1 + rng.IntN(len(text)-n)
			var k int
			k, state = state.scan(text[n : n+size])
			n += k
			if k < size {
				break
			}
		}
		if n != want || n == len(text) && state != utf8Accept {
			t.Fatalf("seed %d: hopeless at %d, want %d of % x", seed, n, want, text)
		}
	}
}

// What need says is the shortest completion there is.
func TestUTF8Need(t *testing.T) {
	for _, c := range []struct {
		text string
		need int
	}{{"", 0}, {"a", 0}, {"\xc2", 1}, {"\xe0", 2}, {"\xe1", 2}, {"\xed", 2}, {"\xef", 2}, {"\xe0\xa0", 1}, {"\xed\x9f", 1},
		{"\xf0", 3}, {"\xf1", 3}, {"\xf4", 3}, {"\xf0\x90", 2}, {"\xf4\x8f", 2}, {"\xf3\x80\x80", 1}, {"😀", 0}} {
		if n, state := utf8Accept.scan([]byte(c.text)); n != len(c.text) || state.need() != c.need || c.need > utf8MaxNeed {
			t.Errorf("% x: need %d, want %d", c.text, state.need(), c.need)
		}
	}
	for octet, row := range utf8Table {
		if utf8State(row>>utf8Reject&63) != utf8Reject {
			t.Errorf("octet %#x leaves the state of rejection", octet)
		}
	}
}

// scanUpTo against its definition: hopeless is what no completion of exactly
// rest octets makes valid; here rest is counted from each prefix on.
func TestUTF8ScanUpTo(t *testing.T) {
	octets := []byte{'a', 0x80, 0x9F, 0xA0, 0xC3, 0xE2, 0xED, 0xF0, 0xF4, 0xFF}
	var try func(b []byte)
	try = func(b []byte) {
		for rest := range 4 {
			want := 0
			for want < len(b) && viableUpTo(b[:want+1], len(b)-want-1+rest) {
				want++
			}
			if n, _ := utf8Accept.scanUpTo(b, int64(rest)); n != want {
				t.Fatalf("% x, then %d octets: hopeless at %d, want %d", b, rest, n, want)
			}
		}
		if len(b) < 4 {
			for _, octet := range octets {
				try(append(b[:len(b):len(b)], octet))
			}
		}
	}
	try(nil)
}

// viableUpTo reports whether room octets can make b valid.
func viableUpTo(b []byte, room int) bool {
	if utf8.Valid(b) {
		return true
	}
	for _, octet := range []byte{0x80, 0x90, 0xA0} {
		if room > 0 && viable(b) && viableUpTo(append(b[:len(b):len(b)], octet), room-1) {
			return true
		}
	}
	return false
}
