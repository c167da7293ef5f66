//go:build !purego

package codec

import (
	"bytes"
	"testing"
)

func init() {
	use := func(avx2, vbmi bool) func() func() {
		return func() (restore func()) {
			wasAVX2, wasVBMI := useAVX2, useVBMI
			useAVX2, useVBMI = avx2, vbmi
			return func() { useAVX2, useVBMI = wasAVX2, wasVBMI }
		}
	}
	utf8Levels = []utf8Level{
		{"go", true, 0, use(false, false)},
		{"avx2", useAVX2, 35, use(true, false)},
		{"vbmi", useVBMI, 1, use(true, true)},
	}
}

// The level decides on the kernel, which the place where it gives up tells: a group
// is 64 octets with AVX2 and 256 with AVX-512.
func TestUTF8Choice(t *testing.T) {
	text := bytes.Repeat([]byte{'a'}, 512)
	text[200] = 0xFF
	p, n := &text[0], len(text)
	atEachLevel(t, func(t *testing.T) {
		kernel, unmask, want := utf8Best, unmaskBest, 0 // no kernel: none of it known
		switch {
		case useVBMI:
			kernel, unmask = utf8VBMI, unmaskVBMI
		case useAVX2:
			kernel, unmask, want = utf8AVX2, unmaskAVX2, 192
		}
		good, done := unmask(p, n, 0, 0)
		if kernel(p, n) != want || good != want || done != want {
			t.Errorf("the kernels: %d; %d, %d; want %d", kernel(p, n), good, done, want)
		}
		if good, done := unmaskBest(p, n, 0, 0); utf8Best(p, n) != want || good != want || done != want {
			t.Errorf("chosen: %d; %d, %d; want %d", utf8Best(p, n), good, done, want)
		}
	})
}

// The tables say of every two octets in a row whether text has them.
func TestUTF8Ranges(t *testing.T) {
	tail := func(octet byte) bool { return octet&0xC0 == 0x80 }
	for i := range 1 << 16 {
		first, second := byte(i>>8), byte(i)
		faults := utf8Ranges[0][first>>4] & utf8Ranges[1][first&0xF] & utf8Ranges[2][second>>4]
		switch {
		case tail(first) && tail(second):
			if faults != twoTails {
				t.Fatalf("% x: %08b, want two tails", []byte{first, second}, faults)
			}
		case (faults != 0) != (first >= 0xC0 && firstHopeless([]byte{first, second}) < 2 || first < 0x80 && tail(second)):
			t.Fatalf("% x: %08b", []byte{first, second}, faults)
		}
	}
	for i := range 256 {
		three := max(i-int(utf8Bounds[0]&0xFF), 0)&int(utf8Bounds[2]&0xFF) != 0
		four := max(i-int(utf8Bounds[1]&0xFF), 0)&int(utf8Bounds[2]&0xFF) != 0
		if three != (i >= 0xE0) || four != (i >= 0xF0) {
			t.Fatalf("%#x leads three %v, four %v", i, three, four)
		}
	}
}
