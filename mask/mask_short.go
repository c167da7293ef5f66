package mask

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// longMin is the shortest payload, in octets, that is not masked right here. A
// call of assembly, which cannot be inlined and takes its arguments through
// memory, costs about as much as twelve words do in Go.
const longMin = 96

// middleMax is the longest payload that is masked in place by a kernel without
// overlaps. Above, those that store to aligned addresses are faster.
const middleMax = 768

// xor masks the n octets at p in place with the key whose octets lie in memory
// as those of k, and returns that key rotated by n.
//
// Between 9 and 63 octets, each case covers its lengths with words counted from the
// front, and as many counted from the end which take the rotated key; they overlap
// in the middle. All reads of a case come before its first write: an octet masked twice
// would be an octet unmasked. So a branch tells classes of lengths and not lengths, of
// which traffic has many and no predictor can know the next.
//
// It takes a pointer and a count because a slice's pointer is stored on entry,
// which costs a tenth of its time.
func xor(p unsafe.Pointer, n int, k uint32) uint32 {
	key := swap(k)
	if n <= 8 {
		if n == 8 {
			xor8(p, 0, uint64(key)<<32|uint64(key))
			return swap(key)
		}
		// The key is turned on the way, which leaves nothing to do at the end.
		if n == 1 {
			xor1(p, 0, uint64(key))
			return swap(bits.RotateLeft32(key, -8))
		}
		if n&4 != 0 {
			xor4(p, 0, uint64(key))
		}
		if n&2 != 0 {
			xor2(p, n&4, uint64(key))
			key = bits.RotateLeft32(key, -16)
		}
		if n&1 != 0 {
			xor1(p, n&6, uint64(key))
			key = bits.RotateLeft32(key, -8)
		}
		return swap(key)
	}
	wide := uint64(key)<<32 | uint64(key)
	if n >= 64 {
		if n >= longMin {
			if n > middleMax {
				xorLong(p, p, n, key)
			} else {
				xorMiddle(p, n, key)
			}
			return swap(bits.RotateLeft32(key, -8*n))
		}
		xor16(p, 0, wide)
		xor16(p, 16, wide)
		xor16(p, 32, wide)
		xor16(p, 48, wide)
		if n == 64 {
			return swap(key)
		}
		return xor(unsafe.Add(p, 64), n-64, k)
	}
	next := bits.RotateLeft64(wide, -8*n)
	switch {
	case n <= 16:
		x, y := load8(p, 0), load8(p, n-8)
		store8(p, 0, x^wide)
		store8(p, n-8, y^next)
	case n <= 32:
		w, x, y, z := load8(p, 0), load8(p, 8), load8(p, n-16), load8(p, n-8)
		store8(p, 0, w^wide)
		store8(p, 8, x^wide)
		store8(p, n-16, y^next)
		store8(p, n-8, z^next)
	default:
		a, b, c, d := load8(p, 0), load8(p, 8), load8(p, 16), load8(p, 24)
		w, x, y, z := load8(p, n-32), load8(p, n-24), load8(p, n-16), load8(p, n-8)
		store8(p, 0, a^wide)
		store8(p, 8, b^wide)
		store8(p, 16, c^wide)
		store8(p, 24, d^wide)
		store8(p, n-32, w^next)
		store8(p, n-24, x^next)
		store8(p, n-16, y^next)
		store8(p, n-8, z^next)
	}
	return swap(uint32(next))
}

// xor16, xor8, xor4, xor2 and xor1 mask as many octets, at p+at, with the first
// octets of wide, the lowest of them first.

func xor16(p unsafe.Pointer, at int, wide uint64) {
	xor8(p, at, wide)
	xor8(p, at+8, wide)
}

func xor8(p unsafe.Pointer, at int, wide uint64) {
	b := (*[8]byte)(unsafe.Add(p, at))[:]
	binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
}

func xor4(p unsafe.Pointer, at int, wide uint64) {
	b := (*[4]byte)(unsafe.Add(p, at))[:]
	binary.LittleEndian.PutUint32(b, binary.LittleEndian.Uint32(b)^uint32(wide))
}

func xor2(p unsafe.Pointer, at int, wide uint64) {
	b := (*[2]byte)(unsafe.Add(p, at))[:]
	binary.LittleEndian.PutUint16(b, binary.LittleEndian.Uint16(b)^uint16(wide))
}

func xor1(p unsafe.Pointer, at int, wide uint64) {
	*(*byte)(unsafe.Add(p, at)) ^= byte(wide)
}
