//go:build !amd64 || purego

package mask

import "unsafe"

// xorLong masks n octets; see xorGeneric.
func xorLong(dst, src unsafe.Pointer, n int, key uint32) {
	xorGeneric(unsafe.Slice((*byte)(dst), n), unsafe.Slice((*byte)(src), n), key)
}

// xorMiddle is xorLong in place.
func xorMiddle(b unsafe.Pointer, n int, key uint32) { xorLong(b, b, n, key) }
