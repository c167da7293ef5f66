package codec

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unicode/utf8"

	"github.com/hybi-go/hybi/mask"
)

// Tests of the kernels, at every level of the processor that there is. Hazards 9 and 11.

// utf8Edges has the first and the last octet of each class that RFC 3629 §4 makes.
var utf8Edges = []byte{0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
	0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}

// Every sequence of three octets, across the bound of two vectors, with text
// behind it that fills them. Without kernels TestUTF8EverySequenceOfThree does it.
func TestUTF8KernelsEverySequenceOfThree(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		if scanVector(make([]byte, 70)) == 0 {
			return
		}
		text := bytes.Repeat([]byte{'a'}, 70)
		seq := text[30:33]
		for first := 0; first < 256; first += fewer(17) {
			seq[0] = byte(first)
			for second := range 256 {
				seq[1] = byte(second)
				for third := range 256 {
					seq[2] = byte(third)
					// Only what surrounds the sequence is ASCII.
					want := 30 + firstHopeless(text[30:34])
					if want == 34 {
						want = len(text)
					}
					if n, state := utf8Accept.scan(text); n != want || n == len(text) && state != utf8Accept {
						t.Fatalf("% x: hopeless at %d, want %d; state %d", seq, n, want, state)
					}
				}
			}
		}
	})
}

// Every sequence of four octets at the bounds of the classes, at every place
// around the bounds of vectors, in the middle of text and at its end.
func TestUTF8KernelsEveryPlace(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		text := bytes.Repeat([]byte{'a'}, 200)
		place, count := 0, 0
		forFour(func(seq []byte) {
			if count++; count%fewer(11) != 0 {
				return
			}
			// Each sequence at some places, neighbours in the order at others: all
			// places get sequences of all kinds.
			alone := firstHopeless(seq)
			amid := firstHopeless(append(seq, 'b'))
			for range 12 / fewer(4) {
				place = (place + 1) % 131
				copy(text[place:], seq)
				want := place + amid
				if amid == 5 {
					want = len(text)
				}
				if n, state := utf8Accept.scan(text); n != want || n == len(text) && state != utf8Accept {
					t.Fatalf("% x at %d: hopeless at %d, want %d; state %d", seq, place, n, want, state)
				}
				cut := text[:place+4]
				if n, state := utf8Accept.scan(cut); n != place+alone || n == len(cut) && (state == utf8Accept) != utf8.Valid(cut) {
					t.Fatalf("% x at %d, the end: hopeless at %d, want %d; state %d", seq, place, n, place+alone, state)
				}
				copy(text[place:], "aaaa")
			}
		})
	})
}

// forFour calls do with every sequence of four octets of utf8Edges.
func forFour(do func(seq []byte)) {
	seq := make([]byte, 4, 5)
	for _, seq[0] = range utf8Edges {
		for _, seq[1] = range utf8Edges {
			for _, seq[2] = range utf8Edges {
				for _, seq[3] = range utf8Edges {
					do(seq)
				}
			}
		}
	}
}

// Sequences, right and wrong, at every place from 0 to 130 and every split of
// the text there, also unmasked.
func TestUTF8KernelsEverySplit(t *testing.T) {
	seqs := []string{"é", "€", "😀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\x80", "\xff", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80", "\xe2\x82a", "\xf0\x9f\x98a", "€\x80", "😀\x80", "é\x80"}
	atEachLevel(t, func(t *testing.T) {
		f := newTextField(300)
		for _, filler := range []string{"a", "é", "€", "😀"} {
			for place := 0; place <= 130; place += len(filler) * fewer(3) {
				for _, seq := range seqs {
					text := bytes.Repeat([]byte(filler), 260/len(filler))
					copy(text[place:], seq)
					want := firstHopeless(text)
					f.check(t, text, want)
					for split := max(0, place-5); split < place+8; split++ {
						f.checkPieces(t, text, want, split)
					}
					f.checkPieces(t, text, want, place, place+1, place+2, place+3)
					// The end of the text in it, likewise.
					for end := place + 1; end < place+len(seq); end++ {
						f.check(t, text[:end], firstHopeless(text[:end]))
					}
				}
			}
		}
	})
}

// The same at the bounds of groups of vectors, with ASCII around.
func TestUTF8KernelsGroups(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		f := newTextField(1000)
		text := bytes.Repeat([]byte{'a'}, 1000)
		for bound := 64; bound <= 768; bound += 64 {
			for place := bound - 4; place <= bound; place++ {
				for _, seq := range []string{"é", "€", "😀", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\x80", "\xed\xa0\x80", "\xff"} {
					copy(text[place:], seq)
					f.check(t, text, firstHopeless(text))
					f.check(t, text[:place+len(seq)], firstHopeless(text[:place+len(seq)]))
					copy(text[place:], "aaaa")
				}
			}
		}
	})
}

// All lengths to 300, with a fault at each place and without.
func TestUTF8KernelsEveryLength(t *testing.T) {
	faults := []byte{0x80, 0xC2, 0xE1, 0xF0, 0xFF}
	atEachLevel(t, func(t *testing.T) {
		f := newTextField(304)
		for _, tc := range utf8Texts {
			whole := bytes.Repeat([]byte(tc.text), 300/len(tc.text)+1)
			for n := 0; n <= 300; n += fewer(17) {
				text := bytes.Clone(whole[:n])
				f.check(t, text, firstHopeless(text))
				for at := range text {
					was := text[at]
					text[at] = faults[(at+n)%len(faults)]
					f.check(t, text, firstHopeless(text))
					text[at] = was
				}
			}
		}
	})
}

// Valid texts, with an octet changed, cut, doubled, or two of them exchanged, in pieces.
func TestUTF8KernelsMutations(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		f := newTextField(2000)
		for seed := range uint64(20000 / fewer(10)) {
			rng := rand.New(rand.NewPCG(seed, 4))
			text := mutated(rng)
			want := firstHopeless(text)
			f.check(t, text, want)
			var cuts []int
			for at := 0; at < len(text); at += 1 + rng.IntN(1+len(text)/2) {
				cuts = append(cuts, at)
			}
			f.checkPieces(t, text, want, cuts...)
		}
	})
}

// mutated returns a text that is valid but for a few octets, at most 2000.
func mutated(rng *rand.Rand) (text []byte) {
	size := rng.IntN(rng.IntN(1500) + 1)
	for len(text) < size {
		word := utf8Texts[rng.IntN(len(utf8Texts))].text
		for range 1 + rng.IntN(4) {
			text = append(text, word...)
		}
	}
	text = text[:min(size, len(text))]
	for range rng.IntN(3) {
		if len(text) < 2 {
			break
		}
		i, j := rng.IntN(len(text)), rng.IntN(len(text))
		switch rng.IntN(4) {
		case 0:
			text[i] = utf8Edges[rng.IntN(len(utf8Edges))]
		case 1:
			text = append(text[:i], text[i+1:]...)
		case 2:
			text = append(text[:i+1], text[i:]...)
		case 3:
			text[i], text[j] = text[j], text[i]
		}
	}
	return text
}

// What scan and unmaskText allocate: nothing.
func TestUTF8Allocations(t *testing.T) {
	if raceEnabled {
		t.Log("slices escape in race builds: only that they work")
	}
	atEachLevel(t, func(t *testing.T) {
		allocs := testing.AllocsPerRun(10, func() {
			var text [300]byte
			utf8Accept.scan(text[:])
			unmaskText(text[:], mask.Key{})
			unmaskText(text[:40], mask.Key{})
			utf8Accept.unmaskScan(text[:], mask.Key{})
		})
		if allocs > 0 && !raceEnabled {
			t.Errorf("%v allocations", allocs)
		}
	})
}

// FuzzUTF8Kernels holds every level of the processor to unicode/utf8, on a text in two
// pieces. Hazards 9 and 11.
func FuzzUTF8Kernels(f *testing.F) {
	for i, tc := range utf8Texts {
		f.Add(bytes.Repeat([]byte(tc.text), i+1), uint(i), uint(7*i))
	}
	f.Add([]byte("\xed\xa0\x80"), uint(62), uint(63))
	f.Add([]byte("\xf4\x90\x80\x80"), uint(125), uint(127))
	f.Fuzz(func(t *testing.T, octets []byte, ahead, cut uint) {
		// ASCII ahead moves the octets to any place of a vector.
		text := append(bytes.Repeat([]byte{'a'}, int(ahead%300)), octets...)
		want := firstHopeless(text)
		field := newTextField(len(text))
		for _, l := range utf8Levels {
			if l.available {
				func() {
					defer l.use()()
					field.check(t, text, want)
					field.checkPieces(t, text, want, int(cut%uint(len(text)+1)))
				}()
			}
		}
	})
}
