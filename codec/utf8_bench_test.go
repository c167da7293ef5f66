package codec

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hybi-go/hybi/mask"
)

var utf8Texts = []struct{ name, text string }{
	{"ascii", "the quick brown fox "},
	{"latin", "Der flinke braune Fuchs springt über den großen Hund. "},
	{"cyrillic", "съешь ещё этих мягких булок "},
	{"cjk", "敏捷的棕色狐狸跳过了懒狗"},
	{"emoji", "😀🦊🐶🎉👍🏽"},
	{"mixed", "naïve café — 東京 😀 ok "},
}

var utf8Sizes = []int{16, 64, 125, 1024, 4096, 65536}

// A textWalk goes through payloads of text in a 64 KiB buffer, each behind the
// octets of a client's header, as they lie when they come from the wire.
type textWalk struct {
	buf          []byte
	header, size int
	end          int // of the last payload
}

func newTextWalk(text string, size int) textWalk {
	w := textWalk{header: 6, size: size}
	if size > maxControlPayload {
		w.header = 8
	}
	text = strings.Repeat(text, size/len(text)+1)
	for !utf8.ValidString(text[:size]) {
		text = "." + text // so that it ends at a boundary
	}
	frame := append(make([]byte, w.header), text[:size]...)
	w.buf = []byte(strings.Repeat(string(frame), max(1, benchBuffer/len(frame))))
	return w
}

// next returns where in buf the next payload is. Small enough to be inlined.
func (w *textWalk) next() []byte {
	from := w.end + w.header
	to := from + w.size
	if to > len(w.buf) {
		from, to = w.header, w.header+w.size
	}
	w.end = to
	return w.buf[from:to]
}

// benchTexts runs a benchmark over texts and sizes.
func benchTexts(b *testing.B, impl string, run func(b *testing.B, w textWalk)) {
	for _, text := range utf8Texts {
		for _, size := range utf8Sizes {
			b.Run(fmt.Sprintf("impl=%s/text=%s/size=%d", impl, text.name, size), func(b *testing.B) {
				w := newTextWalk(text.text, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				run(b, w)
			})
		}
	}
}

// BenchmarkUTF8 sets the validator, at each level of the processor, beside the
// standard library's. Compare with benchstat -col /impl.
func BenchmarkUTF8(b *testing.B) {
	benchTexts(b, "std", func(b *testing.B, w textWalk) {
		for range b.N {
			if !utf8.Valid(w.next()) {
				b.Fatal("not valid")
			}
		}
	})
	for _, l := range utf8Levels {
		if !l.available {
			continue
		}
		benchTexts(b, l.name, func(b *testing.B, w textWalk) {
			defer l.use()()
			for range b.N {
				if n, state := utf8Accept.scan(w.next()); n != w.size || state != utf8Accept {
					b.Fatal("not valid")
				}
			}
		})
	}
}

// BenchmarkUnmaskText unmasks and validates in one pass and in two, beside masking
// alone, with a key of zeros: so the text is there again for the next round and
// needs no refill. No code asks what the key is.
func BenchmarkUnmaskText(b *testing.B) {
	var key mask.Key
	benchTexts(b, "mask-alone", func(b *testing.B, w textWalk) {
		for range b.N {
			mask.XOR(w.next(), key)
		}
	})
	benchTexts(b, "two-passes", func(b *testing.B, w textWalk) {
		for range b.N {
			text := w.next()
			mask.XOR(text, key)
			if n, state := utf8Accept.scan(text); n != w.size || state != utf8Accept {
				b.Fatal("not valid")
			}
		}
	})
	benchTexts(b, "joined", func(b *testing.B, w textWalk) {
		for range b.N {
			if !unmaskText(w.next(), key) {
				b.Fatal("not valid")
			}
		}
	})
}
