package codec

import (
	"bytes"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hybi-go/hybi/mask"
)

// A utf8Level is one that the processor may have: what the kernels are chosen by.
type utf8Level struct {
	name      string
	available bool
	from      int // octets that a text needs for a kernel to take it; 0 is no kernel, 1 one that unmasks 16 to 64 too
	force     func() (restore func())
}

// utf8Levels has every level of this build, the best last.
var utf8Levels = []utf8Level{{"go", true, 0, func() (restore func()) { return func() {} }}}

func TestMain(m *testing.M) {
	var have, lack []string
	for _, l := range utf8Levels {
		if l.available {
			have = append(have, l.name)
		} else {
			lack = append(lack, l.name)
		}
	}
	if len(lack) == 0 {
		lack = append(lack, "none")
	}
	fmt.Printf("codec: UTF-8 levels tested: %s; lacking on this machine: %s\n", strings.Join(have, " "), strings.Join(lack, " "))
	os.Exit(m.Run())
}

// utf8From is from of the level at hand.
var utf8From int

// use makes l the level at hand.
func (l utf8Level) use() (restore func()) {
	utf8From = l.from
	return l.force()
}

// atEachLevel runs a test at every level that the machine has.
func atEachLevel(t *testing.T, test func(t *testing.T)) {
	for _, l := range utf8Levels {
		if l.available {
			t.Run(l.name, func(t *testing.T) {
				defer l.use()()
				test(t)
			})
		}
	}
}

// firstHopeless returns the index of the first octet of b that no text has after
// those before it, or len(b), by unicode/utf8 alone.
func firstHopeless(b []byte) (n int) {
	for n < len(b) {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size == 1 {
			at := n
			for n < len(b) && !utf8.FullRune(b[at:n+1]) {
				n++
			}
			return n
		}
		n += size
	}
	return n
}

// A textField is memory in which texts are tried, with canaries to both sides.
type textField []byte

const fieldMargin = 64

func newTextField(size int) textField {
	return bytes.Repeat([]byte{0xA5}, size+2*fieldMargin)
}

// check holds scan, unmaskText and unmaskScan of text to want, the index of its
// first hopeless octet; the latter two in place, behind a margin.
func (f textField) check(t testing.TB, text []byte, want int) {
	n, state := utf8Accept.scan(text)
	_, walked := utf8Accept.walk(text[:want])
	if n != want || state != walked || n == len(text) && (state == utf8Accept) != utf8.Valid(text) {
		t.Fatalf("scan: hopeless at %d in state %d, want %d in %d: % x", n, state, want, walked, text)
	}
	f.checkKernels(t, text, want)
	in := f[fieldMargin:][:len(text)]
	valid := want == len(text) && walked == utf8Accept
	for _, key := range []mask.Key{{}, {0x37, 0xfa, 0x21, 0x3d}} {
		copy(in, text)
		mask.XOR(in, key)
		if ok := unmaskText(in, key); ok != valid || !bytes.Equal(in, text) {
			t.Fatalf("unmaskText: valid %v, want %v\n% x, want\n% x", ok, valid, in, text)
		}
		after := mask.XOR(in, key)
		n, state, k := utf8Accept.unmaskScan(in, key)
		if n != want || state != walked || k != after || !bytes.Equal(in, text) {
			t.Fatalf("unmaskScan: hopeless at %d in state %d, want %d in %d; key % x, want % x\n% x, want\n% x", n, state, want, walked, k, after, in, text)
		}
	}
	f.checkMargins(t, len(text))
}

// checkKernels holds the kernels to what they must find: all of a text without a
// fault, even if it is cut, and of others all groups before the fault. Else
// the automaton would hide their mistakes.
func (f textField) checkKernels(t testing.TB, text []byte, want int) {
	least := 0
	if utf8From > 0 && len(text) >= utf8From {
		if least = want; want < len(text) {
			least = want - 3 - 256
		}
	}
	if good := scanVector(text); boundary(text[:good]) > want || good < least {
		t.Fatalf("scanVector: no fault in %d, want %d, at least %d: % x", good, want, least, text)
	}
	in := f[fieldMargin:][:len(text)]
	key := uint32(0x3d21fa37)
	copy(in, text)
	mask.XOR(in, wordKey(key))
	good, done := unmaskVector(in, key, bits.RotateLeft32(key, -8*len(text)))
	if boundary(text[:good]) > want || good > done || len(text) > 64 && good < least {
		t.Fatalf("unmaskVector: no fault in %d, unmasked %d, want %d, at least %d: % x", good, done, want, least, text)
	}
	mask.XOR(in[done:], wordKey(bits.RotateLeft32(key, -8*done)))
	if !bytes.Equal(in, text) {
		t.Fatalf("unmaskVector: %d unmasked: % x, want\n% x", done, in, text)
	}
	if len(text) > 64 {
		return
	}
	mask.XOR(in, wordKey(key))
	good = unmaskShortVector(in, key)
	if good != 0 && (good != len(text) || want < boundary(text)) || utf8From == 1 && len(text) >= 16 && want == len(text) && good == 0 {
		t.Fatalf("unmaskShortVector: no fault in %d, want %d: % x", good, want, text)
	}
	if good == 0 {
		mask.XOR(in, wordKey(key))
	}
	if !bytes.Equal(in, text) {
		t.Fatalf("unmaskShortVector: % x, want\n% x", in, text)
	}
}

// checkPieces is check of text cut into pieces.
func (f textField) checkPieces(t testing.TB, text []byte, want int, cuts ...int) {
	_, walked := utf8Accept.walk(text[:want])
	in := f[fieldMargin:][:len(text)]
	key := mask.Key{0x37, 0xfa, 0x21, 0x3d}
	copy(in, text)
	mask.XOR(in, key)
	low, state, unmasked, k := 0, utf8Accept, utf8Accept, key
	for _, high := range append(cuts, len(text)) {
		n, next := state.scan(text[low:high])
		m, after, rotated := unmasked.unmaskScan(in[low:high], k)
		if m != n || after != next || !bytes.Equal(in[low:high], text[low:high]) {
			t.Fatalf("from %d to %d: scan finds %d in state %d, unmaskScan %d in %d: % x", low, high, n, next, m, after, text)
		}
		if n < high-low || high == len(text) {
			if low+n != want || next != walked {
				t.Fatalf("cut at %v: hopeless at %d in state %d, want %d in %d: % x", cuts, low+n, next, want, walked, text)
			}
			break
		}
		low, state, unmasked, k = high, next, after, rotated
	}
	f.checkMargins(t, len(text))
}

func (f textField) checkMargins(t testing.TB, size int) {
	if before, behind := f[:fieldMargin], f[fieldMargin+size:][:fieldMargin]; bytes.Count(before, []byte{0xA5}) != fieldMargin || bytes.Count(behind, []byte{0xA5}) != fieldMargin {
		t.Fatalf("octets outside of %d were written: % x, % x", size, before, behind)
	}
	for i := range f[fieldMargin:][:size] {
		f[fieldMargin+i] = 0xA5
	}
}

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

// fewer is the step of a loop, n where the race detector, which has nothing to
// find in it, makes it many times as slow.
func fewer(n int) int {
	if raceEnabled || testing.Short() {
		return n
	}
	return 1
}

// Every sequence of up to three octets, at every split. Hazard 11.
func TestUTF8EverySequenceOfThree(t *testing.T) {
	var pairs [1 << 16]bool // viable, by both octets
	for i := range pairs {
		pairs[i] = viable([]byte{byte(i >> 8), byte(i)})
	}
	b := make([]byte, 3)
	for first := 0; first < 256; first += fewer(17) {
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
			if n := utf8Accept.scanUpTo(b, int64(rest)); n != want {
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
