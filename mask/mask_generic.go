package mask

import "encoding/binary"

// xorGeneric is the kernel in Go, a word at a time, for any length. It serves
// where there is no assembly, and is what the assembly is held against. dst is
// as long as src, and is src or shares no octet with it; key and next hold four
// octets each, the first of them lowest, and next is key rotated by len(src).
func xorGeneric(dst, src []byte, key, next uint32) {
	le := binary.LittleEndian
	dst = dst[:len(src)]
	wide := uint64(key)<<32 | uint64(key)
	if n := len(src); n >= 32 {
		// The last four words are read before the loop writes into what they
		// share with it.
		rot := uint64(next)<<32 | uint64(next)
		tail := dst[n-32:]
		w, x, y, z := le.Uint64(src[n-32:]), le.Uint64(src[n-24:]), le.Uint64(src[n-16:]), le.Uint64(src[n-8:])
		for len(src) > 32 && len(dst) > 32 {
			s, d := (*[32]byte)(src), (*[32]byte)(dst)
			le.PutUint64(d[0:], le.Uint64(s[0:])^wide)
			le.PutUint64(d[8:], le.Uint64(s[8:])^wide)
			le.PutUint64(d[16:], le.Uint64(s[16:])^wide)
			le.PutUint64(d[24:], le.Uint64(s[24:])^wide)
			src, dst = src[32:], dst[32:]
		}
		le.PutUint64(tail, w^rot)
		le.PutUint64(tail[8:], x^rot)
		le.PutUint64(tail[16:], y^rot)
		le.PutUint64(tail[24:], z^rot)
		return
	}
	for len(src) >= 8 && len(dst) >= 8 {
		le.PutUint64(dst, le.Uint64(src)^wide)
		src, dst = src[8:], dst[8:]
	}
	for i := range dst {
		dst[i] = src[i] ^ byte(wide)
		wide >>= 8
	}
}
