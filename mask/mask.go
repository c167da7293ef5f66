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
	k = xor(b, k)
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
	k = xorTo(dst, src, k)
	return *(*Key)(unsafe.Pointer(&k))
}

// shortMax is the longest payload, in octets, that is masked right here.
// A call of assembly, which cannot be inlined and takes its arguments through
// memory, costs more than eight words do in Go: on Zen 5, 64 octets took 3.3 ns
// here and 4.4 ns there.
const shortMax = 64

// xor masks b in place with the key whose octets lie in memory as those of k.
//
// Here and in xorTo each case covers its lengths with words counted from the
// front, and as many counted from the end which take the rotated key; they
// overlap in the middle. All reads of a case that could meet an overlap come
// before its first write: an octet masked twice would be an octet unmasked.
func xor(b []byte, k uint32) uint32 {
	le := binary.LittleEndian
	n := len(b)
	key := widen(k)
	next := bits.RotateLeft64(key, -8*n)
	switch {
	case n > 32:
		// Asked in here, so that the shortest take one branch less.
		if n > shortMax {
			xorLong(b, b, uint32(key), uint32(next))
			break
		}
		w, x, y, z := le.Uint64(b[n-32:]), le.Uint64(b[n-24:]), le.Uint64(b[n-16:]), le.Uint64(b[n-8:])
		le.PutUint64(b, le.Uint64(b)^key)
		le.PutUint64(b[8:], le.Uint64(b[8:])^key)
		le.PutUint64(b[16:], le.Uint64(b[16:])^key)
		le.PutUint64(b[24:], le.Uint64(b[24:])^key)
		le.PutUint64(b[n-32:], w^next)
		le.PutUint64(b[n-24:], x^next)
		le.PutUint64(b[n-16:], y^next)
		le.PutUint64(b[n-8:], z^next)
	case n >= 16:
		w, x, y, z := le.Uint64(b), le.Uint64(b[8:]), le.Uint64(b[n-16:]), le.Uint64(b[n-8:])
		le.PutUint64(b, w^key)
		le.PutUint64(b[8:], x^key)
		le.PutUint64(b[n-16:], y^next)
		le.PutUint64(b[n-8:], z^next)
	case n >= 8:
		x, y := le.Uint64(b), le.Uint64(b[n-8:])
		le.PutUint64(b, x^key)
		le.PutUint64(b[n-8:], y^next)
	case n >= 4:
		x, y := le.Uint32(b), le.Uint32(b[n-4:])
		le.PutUint32(b, x^uint32(key))
		le.PutUint32(b[n-4:], y^uint32(next))
	case n > 0:
		// The first, the middle and the last of 1 to 3. A single octet is all
		// three of them, and the last write counts.
		x, y, z := b[0], b[n>>1], b[n-1]
		b[0] = x ^ byte(key)
		b[n>>1] = y ^ byte(key>>8)
		b[n-1] = z ^ byte(next>>24)
	}
	return narrow(next)
}

// xorTo is xor from src into dst, and checks them. Apart from xor because a
// second slice costs that one a tenth of its time where it matters most.
func xorTo(dst, src []byte, k uint32) uint32 {
	le := binary.LittleEndian
	n := len(src)
	if len(dst) < n {
		panic("mask: dst is shorter than src: pass a dst of at least len(src) octets")
	}
	dst = dst[:n]
	// How far dst lies ahead of src, modulo the address space; if behind, the
	// negation is how far.
	ahead := uintptr(unsafe.Pointer(unsafe.SliceData(dst))) - uintptr(unsafe.Pointer(unsafe.SliceData(src)))
	if ahead != 0 && (ahead < uintptr(n) || -ahead < uintptr(n)) {
		panic("mask: dst and src overlap in part: pass slices that begin at the same octet or share none")
	}
	key := widen(k)
	next := bits.RotateLeft64(key, -8*n)
	switch {
	case n > 32:
		if n > shortMax {
			xorLong(dst, src, uint32(key), uint32(next))
			break
		}
		w, x, y, z := le.Uint64(src[n-32:]), le.Uint64(src[n-24:]), le.Uint64(src[n-16:]), le.Uint64(src[n-8:])
		le.PutUint64(dst, le.Uint64(src)^key)
		le.PutUint64(dst[8:], le.Uint64(src[8:])^key)
		le.PutUint64(dst[16:], le.Uint64(src[16:])^key)
		le.PutUint64(dst[24:], le.Uint64(src[24:])^key)
		le.PutUint64(dst[n-32:], w^next)
		le.PutUint64(dst[n-24:], x^next)
		le.PutUint64(dst[n-16:], y^next)
		le.PutUint64(dst[n-8:], z^next)
	case n >= 16:
		w, x, y, z := le.Uint64(src), le.Uint64(src[8:]), le.Uint64(src[n-16:]), le.Uint64(src[n-8:])
		le.PutUint64(dst, w^key)
		le.PutUint64(dst[8:], x^key)
		le.PutUint64(dst[n-16:], y^next)
		le.PutUint64(dst[n-8:], z^next)
	case n >= 8:
		x, y := le.Uint64(src), le.Uint64(src[n-8:])
		le.PutUint64(dst, x^key)
		le.PutUint64(dst[n-8:], y^next)
	case n >= 4:
		x, y := le.Uint32(src), le.Uint32(src[n-4:])
		le.PutUint32(dst, x^uint32(key))
		le.PutUint32(dst[n-4:], y^uint32(next))
	case n > 0:
		x, y, z := src[0], src[n>>1], src[n-1]
		dst[0] = x ^ byte(key)
		dst[n>>1] = y ^ byte(key>>8)
		dst[n-1] = z ^ byte(next>>24)
	}
	return narrow(next)
}

// widen makes eight octets of key, the first of them lowest, of the four that
// lie in memory as those of k.
func widen(k uint32) uint64 {
	if cpu.IsBigEndian {
		k = bits.ReverseBytes32(k)
	}
	return uint64(k)<<32 | uint64(k)
}

// narrow is the inverse of widen.
func narrow(key uint64) uint32 {
	if cpu.IsBigEndian {
		return bits.ReverseBytes32(uint32(key))
	}
	return uint32(key)
}
