// Package mask applies the masking of the WebSocket protocol, RFC 6455
// section 5.3, to payload octets.
//
// # What masking is
//
// Every frame that a client sends carries a masking-key of four octets, and
// its payload is XORed with that key repeated for as long as the payload
// lasts: octet i with key octet i modulo 4, in the order of the wire and
// whatever the order of octets in the machine's words. XOR undoes itself, so
// that one function both masks and unmasks.
//
//	payload  H  e  l  l  o          48 65 6c 6c 6f
//	key      repeated               37 fa 21 3d 37
//	masked                          7f 9f 4d 51 58
//
// # Payload in pieces
//
// A payload rarely arrives whole. What i counts from is the start of the
// frame's payload, not the start of the piece at hand, and to begin anew with
// each piece is the classic mistake. Both functions therefore return the key
// rotated to fit the octet after the last one they masked. Hand it in with the
// next piece and forget about i:
//
//	for piece := range pieces {
//		key = mask.XOR(piece, key)
//	}
//
// The pieces may be of any length, zero included. The chain ends with the
// frame: the next frame, also the next fragment of the same message, has a
// masking-key of its own.
//
// # Memory
//
// Nothing is allocated, kept, or made to escape to the heap. Not an octet
// outside of the slices' lengths is read or written, be there capacity beyond
// or not. A slice may begin at any address. Calls on memory that is not shared
// may run at the same time.
//
// # What masking is not
//
// It is no encryption: the key stands in front of the payload for all to see.
// It keeps a script in a browser from choosing the octets on the wire, which
// an intermediary might take for another protocol (section 10.3), and does so
// only if the key is unpredictable: new for each frame, from a cryptographic
// source such as crypto/rand. A key of four zeros is valid and leaves the
// payload as it is.
package mask

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// A Key is a masking-key in wire order: octet i of a payload is XORed with
// Key[i%4] (RFC 6455 section 5.3).
type Key [4]byte

// XOR masks or unmasks b in place and returns key rotated to fit the octet
// after b: the key to call it with for what follows in the same frame. A b that
// is nil or empty is no mistake; key comes back as it is.
func XOR(b []byte, key Key) Key {
	// No more than this, so that it is inlined and the key, which as an array
	// would travel through memory, reaches xor in a register. It is copied into
	// the word and not read as one, because a Key may lie at an odd address.
	var k uint32
	*(*Key)(unsafe.Pointer(&k)) = key
	k = xor(unsafe.Pointer(unsafe.SliceData(b)), len(b), k)
	return *(*Key)(unsafe.Pointer(&k))
}

// XORTo masks or unmasks src into the first len(src) octets of dst, for a
// sender that must not touch the payload, and returns key rotated as XOR does.
// What dst holds beyond len(src) stays as it is.
//
// It panics if dst is shorter than src, and if the two overlap in any other
// way than by beginning at the same octet.
func XORTo(dst, src []byte, key Key) Key {
	var k uint32
	*(*Key)(unsafe.Pointer(&k)) = key
	k = xorTo(dst, unsafe.Pointer(unsafe.SliceData(src)), len(src), k)
	return *(*Key)(unsafe.Pointer(&k))
}

// toMax is the longest payload, in octets, that xorTo masks right here, for the
// same reason as longMin.
const toMax = 64

// xorTo is xor from src, n octets, into to, and checks them. Apart from xor
// because a second slice costs that one a tenth of its time where it matters most.
//
// Each case covers its lengths with words counted from the front, and as many
// counted from the end which take the rotated key; they overlap in the middle,
// which costs nothing here, since what is written is not what the next call
// reads. All reads come before the first write: in place, an octet masked twice
// would be an octet unmasked.
func xorTo(to []byte, src unsafe.Pointer, n int, k uint32) uint32 {
	if len(to) < n {
		panic("mask: dst is shorter than src: pass a dst of at least len(src) octets")
	}
	dst := unsafe.Pointer(unsafe.SliceData(to))
	// How far dst lies ahead of src, modulo the address space. Below n or above
	// -n they overlap; a single comparison, because most neither do nor are one.
	ahead := uintptr(dst) - uintptr(src)
	if ahead+uintptr(n)-1 < 2*uintptr(n)-1 && ahead != 0 && n > 0 {
		panic("mask: dst and src overlap in part: pass slices that begin at the same octet or share none")
	}
	key := swap(k)
	wide := uint64(key)<<32 | uint64(key)
	next := bits.RotateLeft64(wide, -8*n)
	switch {
	case n > 32:
		if n > toMax {
			xorLong(dst, src, n, key)
			break
		}
		a, b, c, d := load8(src, 0), load8(src, 8), load8(src, 16), load8(src, 24)
		w, x, y, z := load8(src, n-32), load8(src, n-24), load8(src, n-16), load8(src, n-8)
		store8(dst, 0, a^wide)
		store8(dst, 8, b^wide)
		store8(dst, 16, c^wide)
		store8(dst, 24, d^wide)
		store8(dst, n-32, w^next)
		store8(dst, n-24, x^next)
		store8(dst, n-16, y^next)
		store8(dst, n-8, z^next)
	case n >= 16:
		w, x, y, z := load8(src, 0), load8(src, 8), load8(src, n-16), load8(src, n-8)
		store8(dst, 0, w^wide)
		store8(dst, 8, x^wide)
		store8(dst, n-16, y^next)
		store8(dst, n-8, z^next)
	case n >= 8:
		x, y := load8(src, 0), load8(src, n-8)
		store8(dst, 0, x^wide)
		store8(dst, n-8, y^next)
	case n >= 4:
		x, y := load4(src, 0), load4(src, n-4)
		store4(dst, 0, x^key)
		store4(dst, n-4, y^uint32(next))
	case n > 0:
		// The first, the middle and the last of 1 to 3. A single octet is all
		// three of them, and the last write counts.
		x, y, z := load1(src, 0), load1(src, n>>1), load1(src, n-1)
		store1(dst, 0, x^byte(wide))
		store1(dst, n>>1, y^byte(wide>>8))
		store1(dst, n-1, z^byte(next>>24))
	}
	return swap(uint32(next))
}

// swap makes of the four octets that lie in memory as those of k a word with
// the first of them lowest, and the other way round.
func swap(k uint32) uint32 {
	if cpu.IsBigEndian {
		return bits.ReverseBytes32(k)
	}
	return k
}

func load8(p unsafe.Pointer, at int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(p, at))[:])
}

func load4(p unsafe.Pointer, at int) uint32 {
	return binary.LittleEndian.Uint32((*[4]byte)(unsafe.Add(p, at))[:])
}

func load1(p unsafe.Pointer, at int) byte { return *(*byte)(unsafe.Add(p, at)) }

func store8(p unsafe.Pointer, at int, v uint64) {
	binary.LittleEndian.PutUint64((*[8]byte)(unsafe.Add(p, at))[:], v)
}

func store4(p unsafe.Pointer, at int, v uint32) {
	binary.LittleEndian.PutUint32((*[4]byte)(unsafe.Add(p, at))[:], v)
}

func store1(p unsafe.Pointer, at int, v byte) { *(*byte)(unsafe.Add(p, at)) = v }
