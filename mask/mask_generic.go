package mask

import "encoding/binary"

// xorGeneric is the kernel in Go, a word at a time, for any length. It serves
// where there is no assembly, and is what the assembly is held against. dst is
// as long as src, and is src or shares no octet with it; key holds four octets,
// the first of them lowest.
func xorGeneric(dst, src []byte, key uint32) {
	le := binary.LittleEndian
	dst = dst[:len(src)]
	wide := uint64(key)<<32 | uint64(key)
	for len(src) >= 32 && len(dst) >= 32 {
		s, d := (*[32]byte)(src), (*[32]byte)(dst)
		le.PutUint64(d[0:], le.Uint64(s[0:])^wide)
		le.PutUint64(d[8:], le.Uint64(s[8:])^wide)
		le.PutUint64(d[16:], le.Uint64(s[16:])^wide)
		le.PutUint64(d[24:], le.Uint64(s[24:])^wide)
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 && len(dst) >= 8 {
		le.PutUint64(dst, le.Uint64(src)^wide)
		src, dst = src[8:], dst[8:]
	}
	if len(src) >= 4 && len(dst) >= 4 {
		le.PutUint32(dst, le.Uint32(src)^key)
		src, dst = src[4:], dst[4:]
	}
	for i := range dst {
		dst[i] = src[i] ^ byte(wide)
		wide >>= 8
	}
}
