//go:build !amd64 || purego

package mask

// xorLong masks more than shortMax octets; see xorGeneric.
func xorLong(dst, src []byte, key, next uint32) {
	xorGeneric(dst, src, key, next)
}
