//go:build !purego

package mask

import (
	"bytes"
	"testing"
	"unsafe"
)

func init() {
	kernels = append(kernels,
		kernel{"sse2", true, vector(xorSSE2)},
		kernel{"inplace-sse2", true, inPlace(xorInPlaceSSE2)},
		kernel{"avx2", useAVX2, vector(xorAVX2)},
		kernel{"inplace-avx2", useAVX2, inPlace(xorInPlace)},
		kernel{"avx512", useAVX512, vector(xorAVX512)},
	)
	switch {
	case useAVX512:
		chosen = "avx512"
	case useAVX2:
		chosen = "avx2"
	default:
		chosen = "sse2"
	}
}

// vector gives an assembly kernel, which takes more than toMax octets, the
// same form as the generic one, which stands in below that.
func vector(k func(dst, src *byte, n int, key uint32)) func(dst, src []byte, key uint32) {
	return func(dst, src []byte, key uint32) {
		if len(src) <= toMax {
			xorGeneric(dst, src, key)
			return
		}
		tellRace(unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), len(src))
		k(&dst[0], &src[0], len(src), key)
	}
}

// inPlace does so with a kernel that only masks in place, if need be in a copy.
func inPlace(k func(b *byte, n int, key uint32)) func(dst, src []byte, key uint32) {
	both := vector(func(dst, _ *byte, n int, key uint32) { k(dst, n, key) })
	return func(dst, src []byte, key uint32) {
		copy(dst, src)
		both(dst[:len(src)], dst[:len(src)], key)
	}
}

// TestChoice masks by way of xorVector with every choice it can make here. Hazard 9.
func TestChoice(t *testing.T) {
	defer func(avx2, avx512 bool) { useAVX2, useAVX512 = avx2, avx512 }(useAVX2, useAVX512)
	data := noise(1100)
	for useAVX512 || useAVX2 {
		if useAVX512 {
			useAVX512 = false
		} else {
			useAVX2 = false
		}
		for n := toMax + 1; n < len(data); n++ {
			want, next := reference(data[:n], testKey)
			b := bytes.Clone(data[:n])
			if key := XOR(b, testKey); key != next || !bytes.Equal(b, want) {
				t.Fatalf("AVX2 %v, AVX-512 %v: n=%d is wrong", useAVX2, useAVX512, n)
			}
		}
	}
}
