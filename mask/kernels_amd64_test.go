//go:build !purego

package mask

import (
	"bytes"
	"testing"
)

func init() {
	kernels = append(kernels,
		kernel{"sse2", true, vector(xorSSE2)},
		kernel{"avx2", useAVX2, vector(xorAVX2)},
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

// vector gives an assembly kernel, which takes more than shortMax octets, the
// same form as the generic one, which stands in below that.
func vector(k func(dst, src *byte, n int, key, next uint32)) func(dst, src []byte, key, next uint32) {
	return func(dst, src []byte, key, next uint32) {
		if len(src) <= shortMax {
			xorGeneric(dst, src, key, next)
			return
		}
		tellRace(dst, src)
		k(&dst[0], &src[0], len(src), key, next)
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
		for n := shortMax + 1; n < len(data); n++ {
			want, next := reference(data[:n], testKey)
			b := bytes.Clone(data[:n])
			if key := XOR(b, testKey); key != next || !bytes.Equal(b, want) {
				t.Fatalf("AVX2 %v, AVX-512 %v: n=%d is wrong", useAVX2, useAVX512, n)
			}
		}
	}
}
