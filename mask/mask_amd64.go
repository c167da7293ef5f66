//go:build !purego

package mask

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Set once, before anything runs. Each level presumes the one below, so that
// GODEBUG=cpu.avx2=off leaves SSE2, which every amd64 has. Processors that
// lower their clock for vectors of 512 bits came before VBMI2, which is asked
// for on that account alone.
var (
	useAVX2   = cpu.X86.HasAVX2
	useAVX512 = useAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512VBMI2
)

// xorVector masks n octets, at least longMin, from src to dst by the best of the
// kernels below. It is assembly, a jump to one of them, because a choice in
// Go would make xorLong too large to be inlined, which costs a fifth of the time
// at 125 octets; and because what is passed to a function in a variable escapes.
//
//go:noescape
func xorVector(dst, src *byte, n int, key uint32)

// xorInPlace masks n octets, at least 64, where they are.
//
//go:noescape
func xorInPlace(b *byte, n int, key uint32)

//go:noescape
func xorInPlaceSSE2(b *byte, n int, key uint32)

//go:noescape
func xorSSE2(dst, src *byte, n int, key uint32)

//go:noescape
func xorAVX2(dst, src *byte, n int, key uint32)

//go:noescape
func xorAVX512(dst, src *byte, n int, key uint32)

// xorMiddle masks n octets in place, at least longMin and at most middleMax.
func xorMiddle(b unsafe.Pointer, n int, key uint32) {
	tellRace(b, b, n)
	xorInPlace((*byte)(b), n, key)
}

// xorLong masks n octets, more than toMax; see xorGeneric.
func xorLong(dst, src unsafe.Pointer, n int, key uint32) {
	tellRace(dst, src, n)
	xorVector((*byte)(dst), (*byte)(src), n, key)
}
