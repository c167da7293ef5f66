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
// No octet is touched twice: words first, then at most one each of 16, 8, 4, 2
// and 1 octets. Accesses that overlap would cover all lengths in fewer cases,
// but then a read of the next call on the same payload would span two stores of
// this one and wait until both have reached the cache: twice the time. The last
// 31 octets go by one jump, for lengths that no branch predictor can know: it is
// mispredicted once, five branches two or three times.
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
	i := 0 // and not a p that moves: it would come to point behind the payload
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
		i = 64
	} else if n >= 32 {
		xor16(p, 0, wide)
		xor16(p, 16, wide)
		i = 32
	}
	switch n & 31 {
	case 1:
		xor1(p, i, wide)
	case 2:
		xor2(p, i, wide)
	case 3:
		xor2(p, i, wide)
		xor1(p, i+2, wide>>16)
	case 4:
		xor4(p, i, wide)
	case 5:
		xor4(p, i, wide)
		xor1(p, i+4, wide)
	case 6:
		xor4(p, i, wide)
		xor2(p, i+4, wide)
	case 7:
		xor4(p, i, wide)
		xor2(p, i+4, wide)
		xor1(p, i+6, wide>>16)
	case 8:
		xor8(p, i, wide)
	case 9:
		xor8(p, i, wide)
		xor1(p, i+8, wide)
	case 10:
		xor8(p, i, wide)
		xor2(p, i+8, wide)
	case 11:
		xor8(p, i, wide)
		xor2(p, i+8, wide)
		xor1(p, i+10, wide>>16)
	case 12:
		xor8(p, i, wide)
		xor4(p, i+8, wide)
	case 13:
		xor8(p, i, wide)
		xor4(p, i+8, wide)
		xor1(p, i+12, wide)
	case 14:
		xor8(p, i, wide)
		xor4(p, i+8, wide)
		xor2(p, i+12, wide)
	case 15:
		xor8(p, i, wide)
		xor4(p, i+8, wide)
		xor2(p, i+12, wide)
		xor1(p, i+14, wide>>16)
	case 16:
		xor16(p, i, wide)
	case 17:
		xor16(p, i, wide)
		xor1(p, i+16, wide)
	case 18:
		xor16(p, i, wide)
		xor2(p, i+16, wide)
	case 19:
		xor16(p, i, wide)
		xor2(p, i+16, wide)
		xor1(p, i+18, wide>>16)
	case 20:
		xor16(p, i, wide)
		xor4(p, i+16, wide)
	case 21:
		xor16(p, i, wide)
		xor4(p, i+16, wide)
		xor1(p, i+20, wide)
	case 22:
		xor16(p, i, wide)
		xor4(p, i+16, wide)
		xor2(p, i+20, wide)
	case 23:
		xor16(p, i, wide)
		xor4(p, i+16, wide)
		xor2(p, i+20, wide)
		xor1(p, i+22, wide>>16)
	case 24:
		xor16(p, i, wide)
		xor8(p, i+16, wide)
	case 25:
		xor16(p, i, wide)
		xor8(p, i+16, wide)
		xor1(p, i+24, wide)
	case 26:
		xor16(p, i, wide)
		xor8(p, i+16, wide)
		xor2(p, i+24, wide)
	case 27:
		xor16(p, i, wide)
		xor8(p, i+16, wide)
		xor2(p, i+24, wide)
		xor1(p, i+26, wide>>16)
	case 28:
		xor16(p, i, wide)
		xor8(p, i+16, wide)
		xor4(p, i+24, wide)
	case 29:
		xor16(p, i, wide)
		xor8(p, i+16, wide)
		xor4(p, i+24, wide)
		xor1(p, i+28, wide)
	case 30:
		xor16(p, i, wide)
		xor8(p, i+16, wide)
		xor4(p, i+24, wide)
		xor2(p, i+28, wide)
	case 31:
		xor16(p, i, wide)
		xor8(p, i+16, wide)
		xor4(p, i+24, wide)
		xor2(p, i+28, wide)
		xor1(p, i+30, wide>>16)
	}
	return swap(bits.RotateLeft32(key, -8*n))
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
