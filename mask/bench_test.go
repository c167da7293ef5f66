package mask

import (
	"fmt"
	"testing"
)

var benchSizes = []int{1, 2, 4, 8, 16, 32, 64, 125, 256, 512, 1024, 4096, 65536}

// A walk goes through a buffer payload after payload, each behind the octets of
// a client's header, as they lie when they come from the wire: at every
// alignment, odd ones mostly. One spot over and over would be kinder to the
// cache and blind to payloads that straddle its lines.
type walk struct {
	buf          []byte
	header, size int
	end          int // of the last payload
}

func newWalk(size int) walk {
	w := walk{header: 6, size: size} // RFC 6455 section 5.2
	switch {
	case size > 0xffff:
		w.header = 14
	case size > 125:
		w.header = 8
	}
	w.buf = make([]byte, max(64<<10, w.header+size))
	return w
}

// next returns where in buf the next payload is. Small enough to be inlined.
func (w *walk) next() (from, to int) {
	from = w.end + w.header
	to = from + w.size
	if to > len(w.buf) {
		from, to = w.header, w.header+w.size
	}
	w.end = to
	return from, to
}

func benchSize(b *testing.B, name string, size int, run func(b *testing.B)) {
	b.Run(fmt.Sprintf("impl=%s/size=%d/phase=1", name, size), func(b *testing.B) {
		b.SetBytes(int64(size))
		b.ReportAllocs()
		run(b)
	})
}

// BenchmarkXOR masks in place, beside a copy of the same payloads into another
// buffer. Compare with benchstat -col /impl.
func BenchmarkXOR(b *testing.B) {
	key := phase(testKey, 1)
	for _, size := range benchSizes {
		w, dst := newWalk(size), newWalk(size).buf
		benchSize(b, "copy", size, func(b *testing.B) {
			w := w
			for range b.N {
				from, to := w.next()
				copy(dst[from:to], w.buf[from:to])
			}
		})
		benchSize(b, "xor", size, func(b *testing.B) {
			w := w
			for range b.N {
				from, to := w.next()
				sink = XOR(w.buf[from:to], key)
			}
		})
		for _, k := range kernels {
			if !k.available {
				continue
			}
			benchSize(b, k.name, size, func(b *testing.B) {
				w := w
				for range b.N {
					from, to := w.next()
					sink = k.call(w.buf[from:to], w.buf[from:to], key)
				}
			})
		}
	}
}

// BenchmarkXORTo masks from one buffer into another.
func BenchmarkXORTo(b *testing.B) {
	key := phase(testKey, 1)
	for _, size := range benchSizes {
		w, dst := newWalk(size), newWalk(size).buf
		benchSize(b, "copy", size, func(b *testing.B) {
			w := w
			for range b.N {
				from, to := w.next()
				copy(dst[from:to], w.buf[from:to])
			}
		})
		benchSize(b, "xorto", size, func(b *testing.B) {
			w := w
			for range b.N {
				from, to := w.next()
				sink = XORTo(dst[from:to], w.buf[from:to], key)
			}
		})
	}
}

// BenchmarkXORMixed masks payloads of 1 to size octets in an order that no branch
// predictor could learn. SetBytes is told the longest, so ns are what counts here.
func BenchmarkXORMixed(b *testing.B) {
	key := phase(testKey, 1)
	for _, size := range []int{8, 32, 125, 256, 1024} {
		r := random(6455)
		w, dst := newWalk(size), newWalk(size).buf
		benchSize(b, "copy", size, func(b *testing.B) {
			w := w
			for range b.N {
				w.size = r.upTo(size)
				from, to := w.next()
				copy(dst[from:to], w.buf[from:to])
			}
		})
		benchSize(b, "xor", size, func(b *testing.B) {
			w := w
			for range b.N {
				w.size = r.upTo(size)
				from, to := w.next()
				sink = XOR(w.buf[from:to], key)
			}
		})
	}
}

// A random is a generator that costs a nanosecond and never repeats itself here.
type random uint64

// upTo returns one of 1 to n, which is less than 1<<24.
func (r *random) upTo(n int) int {
	*r = *r*6364136223846793005 + 1442695040888963407 // Knuth's MMIX
	return int(uint64(*r)>>40*uint64(n)>>24) + 1
}

// BenchmarkXORSpot masks one spot over and over, at the odd offset that a
// header leaves: what is to be had when all of it lies in the nearest cache.
func BenchmarkXORSpot(b *testing.B) {
	key := phase(testKey, 1)
	for _, size := range benchSizes {
		src, dst := make([]byte, size+7)[7:], make([]byte, size+7)[7:]
		benchSize(b, "copy", size, func(b *testing.B) {
			for range b.N {
				copy(dst, src)
			}
		})
		benchSize(b, "xor", size, func(b *testing.B) {
			for range b.N {
				sink = XOR(src, key)
			}
		})
	}
}
