//go:build !purego

package codec

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Set once, before anything runs. Each level presumes the one below, so that
// GODEBUG=cpu.avx2=off leaves the Go code. VBMI2 is asked for because processors
// that lower their clock for vectors of 512 bits came before it.
var (
	useAVX2 = cpu.X86.HasAVX2
	useVBMI = useAVX2 && cpu.X86.HasBMI2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW &&
		cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512VBMI2
)

// Faults that two neighbouring octets show (Keiser and Lemire): one is there if
// the high nibble of the first, its low nibble, and the high nibble of the second
// all allow it.
const (
	tooShort  uint8 = 1 << iota // a lead and no tail
	tooLong                     // ASCII and a tail
	overlong3                   // E0, then 80-9F
	tooLarge                    // F4, then 90-BF; F5-FF, then 90-BF
	surrogate                   // ED, then A0-BF
	overlong2                   // C0 or C1 and a tail
	overlong4                   // F0, then 80-8F; F5-FF, then 80-8F
	twoTails                    // the only one that may be right: behind E0-FF, or F0-FF and a tail

	anyLow  = tooShort | tooLong | twoTails
	tooHigh = anyLow | tooLarge | overlong4
	anyTail = tooLong | overlong2 | twoTails
)

// utf8Ranges has the faults that each nibble allows, in the order above.
var utf8Ranges = [...][16]uint8{
	{
		tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong,
		twoTails, twoTails, twoTails, twoTails,
		tooShort | overlong2, tooShort, tooShort | overlong3 | surrogate, tooShort | tooLarge | overlong4,
	},
	{
		anyLow | overlong2 | overlong3 | overlong4, anyLow | overlong2, anyLow, anyLow,
		anyLow | tooLarge, tooHigh, tooHigh, tooHigh, tooHigh, tooHigh, tooHigh, tooHigh,
		tooHigh, tooHigh | surrogate, tooHigh, tooHigh,
	},
	{
		tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort,
		anyTail | overlong3 | overlong4, anyTail | overlong3 | tooLarge, anyTail | surrogate | tooLarge, anyTail | surrogate | tooLarge,
		tooShort, tooShort, tooShort, tooShort,
	},
}

// utf8Bounds: what is left of an octet, less one of the first two and not below
// zero, has the bit of the third if the octet is E0-FF, or F0-FF. The fourth is
// for nibbles.
var utf8Bounds = [...]uint32{0x60606060, 0x70707070, 0x80808080, 0x0F0F0F0F}

// utf8Best is the best of the kernels below; 0 if there is none for n octets.
//
//go:noescape
func utf8Best(p *byte, n int) (good int)

//go:noescape
func utf8AVX2(p *byte, n int) (good int)

//go:noescape
func utf8VBMI(p *byte, n int) (good int)

// unmaskBest is the best of the kernels below; 0, 0 if there is none for n octets.
//
//go:noescape
func unmaskBest(p *byte, n int, key, next uint32) (good, done int)

//go:noescape
func unmaskAVX2(p *byte, n int, key, next uint32) (good, done int)

//go:noescape
func unmaskVBMI(p *byte, n int, key, next uint32) (good, done int)

//go:noescape
func unmaskShortVBMI(p *byte, n int, key uint32) (good int)

// scanVector returns the length of a prefix of b that has no fault, but perhaps
// a sequence cut by its end.
func scanVector(b []byte) (good int) {
	tellRaceRead(b)
	return utf8Best(unsafe.SliceData(b), len(b))
}

// unmaskVector unmasks the first done octets of b in place, all or a multiple of
// 4, and finds the first good of them without a fault, but perhaps for a sequence
// cut by their end. It may do nothing. next is k rotated to fit the octet after b.
func unmaskVector(b []byte, k, next uint32) (good, done int) {
	tellRaceWrite(b)
	return unmaskBest(unsafe.SliceData(b), len(b), k, next)
}

// unmaskShortVector unmasks b of at most 64 octets in place if it finds no fault
// in it, but perhaps a sequence cut by its end; then it returns len(b), else 0.
func unmaskShortVector(b []byte, k uint32) (good int) {
	if len(b) < 16 || !useVBMI {
		return 0
	}
	tellRaceWrite(b)
	return unmaskShortVBMI(unsafe.SliceData(b), len(b), k)
}
