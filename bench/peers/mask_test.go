package peers

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gobwas/ws"
	"github.com/hybi-go/hybi/mask"
)

var maskSizes = []int{1, 2, 4, 8, 16, 24, 32, 64, 100, 125, 256, 512, 1024, 4096, 65536}

// The key in the forms that the libraries take, prepared outside of the loops.
// The first octet of each payload meets the key's octet at phase: a piece of a
// frame's payload that does not begin at a multiple of four. Functions that know
// no phase get the key rotated.
type keys struct {
	phase   int
	key     [4]byte // as it stands in the frame
	rotated mask.Key
	slice   []byte // rotated
	word    uint32 // rotated, little-endian
	long    []byte // rotated and repeated
}

func newKeys(phase, size int) *keys {
	k := &keys{phase: phase, key: [4]byte{0x37, 0xfa, 0x21, 0x3d}, long: make([]byte, size)}
	for i := range k.rotated {
		k.rotated[i] = k.key[(i+phase)%4]
	}
	k.slice = k.rotated[:]
	k.word = binary.LittleEndian.Uint32(k.slice)
	for i := range k.long {
		k.long[i] = k.rotated[i%4]
	}
	return k
}

// A walk tells where payload after payload lies in a buffer, each behind the
// octets of a client's header, as they come from the wire: at every alignment, odd
// ones mostly. One spot over and over would be kinder to the cache and blind to
// payloads that straddle its lines.
type walk struct {
	buf, dst []byte
	spans    []span // of many rounds of the buffer, if sizes are mixed
	at       int
	header   int
	size     int
	end      int // of the last payload
}

type span struct{ from, to uint32 }

func newWalk(size int) walk {
	w := walk{header: 6, size: size} // RFC 6455 section 5.2
	switch {
	case size > 0xffff:
		w.header = 14
	case size > 125:
		w.header = 8
	}
	n := max(64<<10, w.header+size)
	w.buf, w.dst = make([]byte, n), make([]byte, n)
	return w
}

// next returns where the next payload is. Small enough to be inlined.
func (w *walk) next() (from, to int) {
	from = w.end + w.header
	to = from + w.size
	if to > len(w.buf) {
		from, to = w.header, w.header+w.size
	}
	w.end = to
	return from, to
}

// newMixed is a walk over payloads of sizes up to most, small ones more often: the
// size's logarithm is what is drawn. 8192 of them come before the first comes again,
// which is more than a branch predictor learns by heart.
func newMixed(most int) (w walk, octets int) {
	random := rand.New(rand.NewPCG(1, 2))
	w = newWalk(most)
	w.spans = make([]span, 8192)
	end := 0
	for i := range w.spans {
		size := int(math.Exp(random.Float64() * math.Log(float64(most)+1)))
		from := end + 6
		if size > 125 {
			from += 2
		}
		if from+size > len(w.buf) {
			from = 6
		}
		end = from + size
		octets += size
		w.spans[i] = span{uint32(from), uint32(end)}
	}
	return w, octets / len(w.spans)
}

// mixed is next for a mixed walk.
func (w *walk) mixed() (from, to int) {
	s := w.spans[w.at&8191]
	w.at++
	return int(s.from), int(s.to)
}

// A maskImpl masks in place. Its loops are written out for each of them, so that
// what can be inlined is inlined and no call through a variable is added to what
// cannot.
type maskImpl struct {
	name  string
	walk  func(n int, w walk, k *keys)
	mixed func(n int, w walk, k *keys)
	spot  func(n int, b []byte, k *keys)
	phase []int // those that it is measured at
}

// sink keeps results alive.
var sink struct {
	key  mask.Key
	word uint32
	int
}

var maskImpls = []maskImpl{
	{
		name: "hybi",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				sink.key = mask.XOR(w.buf[from:to], k.rotated)
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				sink.key = mask.XOR(w.buf[from:to], k.rotated)
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				sink.key = mask.XOR(b, k.rotated)
			}
		},
	},
	{
		name: "copy",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				copy(w.dst[from:to], w.buf[from:to])
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				copy(w.dst[from:to], w.buf[from:to])
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				copy(k.long, b)
			}
		},
	},
	{
		name: "xorbytes",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				sink.int = subtle.XORBytes(w.buf[from:to], w.buf[from:to], k.long)
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				sink.int = subtle.XORBytes(w.buf[from:to], w.buf[from:to], k.long)
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				sink.int = subtle.XORBytes(b, b, k.long)
			}
		},
	},
	{
		name: "gorilla",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				sink.int = gorillaMask(k.key, k.phase, w.buf[from:to])
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				sink.int = gorillaMask(k.key, k.phase, w.buf[from:to])
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				sink.int = gorillaMask(k.key, k.phase, b)
			}
		},
	},
	{
		name: "gobwas",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				ws.Cipher(w.buf[from:to], k.key, k.phase)
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				ws.Cipher(w.buf[from:to], k.key, k.phase)
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				ws.Cipher(b, k.key, k.phase)
			}
		},
		phase: []int{1, 0}, // at 0 it is kinder to itself: no loop over octets at the head
	},
	{
		name: "coder",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				sink.word = coderMask(w.buf[from:to], k.word)
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				sink.word = coderMask(w.buf[from:to], k.word)
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				sink.word = coderMask(b, k.word)
			}
		},
	},
	{
		name: "gws",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				gwsMask(w.buf[from:to], k.slice)
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				gwsMask(w.buf[from:to], k.slice)
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				gwsMask(b, k.slice)
			}
		},
	},
	{
		name: "nbio",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				nbioMask(w.buf[from:to], k.slice)
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				nbioMask(w.buf[from:to], k.slice)
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				nbioMask(b, k.slice)
			}
		},
	},
	{
		name: "fasthttp",
		walk: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.next()
				sink.int = fasthttpMask(k.key, k.phase, w.buf[from:to])
			}
		},
		mixed: func(n int, w walk, k *keys) {
			for range n {
				from, to := w.mixed()
				sink.int = fasthttpMask(k.key, k.phase, w.buf[from:to])
			}
		},
		spot: func(n int, b []byte, k *keys) {
			for range n {
				sink.int = fasthttpMask(k.key, k.phase, b)
			}
		},
	},
}

// phases are those that m is measured at.
func (m *maskImpl) phases() []int {
	if m.phase != nil {
		return m.phase
	}
	return []int{1}
}

// eachMask runs a benchmark for each implementation and phase, those of one size
// next to each other, as they are compared.
func eachMask(b *testing.B, size string, octets int, run func(n int, m *maskImpl, k *keys)) {
	for i := range maskImpls {
		m := &maskImpls[i]
		for _, phase := range m.phases() {
			b.Run(fmt.Sprintf("impl=%s/size=%s/phase=%d", m.name, size, phase), func(b *testing.B) {
				k := newKeys(phase, 64<<10)
				b.SetBytes(int64(octets))
				b.ReportAllocs()
				b.ResetTimer()
				run(b.N, m, k)
			})
		}
	}
}

// BenchmarkMask masks payload after payload of a 64 KiB buffer. Compare with
// benchstat -col /impl.
func BenchmarkMask(b *testing.B) {
	for _, size := range maskSizes {
		w := newWalk(size)
		eachMask(b, fmt.Sprint(size), size, func(n int, m *maskImpl, k *keys) { m.walk(n, w, k) })
	}
	for _, most := range []int{125, 4096} {
		w, octets := newMixed(most)
		eachMask(b, fmt.Sprintf("1to%d", most), octets, func(n int, m *maskImpl, k *keys) { m.mixed(n, w, k) })
	}
}

// BenchmarkMaskSpot masks one payload at an odd address over and over: all of it is
// in the nearest cache, and every branch is foreseen.
func BenchmarkMaskSpot(b *testing.B) {
	for _, size := range maskSizes {
		spot := make([]byte, size+7)[7:]
		eachMask(b, fmt.Sprint(size), size, func(n int, m *maskImpl, k *keys) { m.spot(n, spot, k) })
	}
}

// What is measured masks: each loop against the definition of section 5.3, over a
// buffer that it must change at the payloads and nowhere else.
func TestMask(t *testing.T) {
	for i := range maskImpls {
		m := &maskImpls[i]
		for _, phase := range []int{0, 1, 2, 3} {
			k := newKeys(phase, 64<<10)
			for _, size := range maskSizes {
				t.Run(fmt.Sprintf("impl=%s/size=%d/phase=%d", m.name, size, phase), func(t *testing.T) {
					checkWalk(t, m, newWalk(size), (*walk).next, m.walk, k)
					checkSpot(t, m, size, k)
				})
			}
			t.Run(fmt.Sprintf("impl=%s/mixed/phase=%d", m.name, phase), func(t *testing.T) {
				w, _ := newMixed(4096)
				checkWalk(t, m, w, (*walk).mixed, m.mixed, k)
			})
		}
	}
}

func byDefinition(b []byte, key mask.Key) {
	for i := range b {
		b[i] ^= key[i%4]
	}
}

func checkWalk(t *testing.T, m *maskImpl, w walk, next func(*walk) (int, int), run func(int, walk, *keys), k *keys) {
	t.Helper()
	const n = 50
	for i := range w.buf {
		w.buf[i] = byte(i * 7)
	}
	want := bytes.Clone(w.buf)
	copied := make([]byte, len(w.dst))
	for w, i := w, 0; i < n; i++ {
		from, to := next(&w)
		copy(copied[from:to], want[from:to])
		if m.name != "copy" {
			byDefinition(want[from:to], k.rotated)
		}
	}
	run(n, w, k)
	if !bytes.Equal(w.buf, want) {
		t.Error("not masked as section 5.3 says")
	}
	if m.name == "copy" && !bytes.Equal(w.dst, copied) {
		t.Error("not copied")
	}
}

func checkSpot(t *testing.T, m *maskImpl, size int, k *keys) {
	t.Helper()
	const n = 3 // odd: masked, not unmasked
	whole := make([]byte, size+7+9)
	for i := range whole {
		whole[i] = byte(i * 5)
	}
	want := bytes.Clone(whole)
	if m.name == "copy" {
		k = newKeys(k.phase, len(k.long)) // into which it copies
	} else {
		byDefinition(want[7:7+size], k.rotated)
	}
	m.spot(n, whole[7:7+size], k)
	if !bytes.Equal(whole, want) {
		t.Error("not masked as section 5.3 says")
	}
	if m.name == "copy" && !bytes.Equal(k.long[:size], whole[7:7+size]) {
		t.Error("not copied")
	}
}
