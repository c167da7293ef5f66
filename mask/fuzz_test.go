package mask

import (
	"bytes"
	"testing"
)

// FuzzXOR holds every kernel and both exported functions against the octet
// loop: any payload, key and alignment, whole, cut in two, and undone again. Hazard 9.
func FuzzXOR(f *testing.F) {
	f.Add([]byte(nil), []byte{1, 2, 3, 4}, uint8(0), uint32(0))
	// RFC 6455 section 5.7.
	f.Add([]byte("Hello"), []byte{0x37, 0xfa, 0x21, 0x3d}, uint8(6), uint32(3))
	f.Add([]byte("\xb7\xdd\xd1\xd1\x90\x98\xea\xd2\x8d\xd4\xd9\x9c"), []byte{0xff, 0xb8, 0xbd, 0xbd}, uint8(0), uint32(7))
	for _, n := range []int{1, 2, 3, 4, 7, 8, 15, 16, 17, 32, 33, 63, 64, 65, 128, 129, 256, 257, 512, 513, 4097} {
		f.Add(noise(n), []byte{0, 0xff, 0x80, 1}, uint8(n), uint32(n/2+1))
	}
	f.Fuzz(func(t *testing.T, payload, keyOctets []byte, align uint8, at uint32) {
		var key Key
		copy(key[:], keyOctets)
		cut := int(at % uint32(len(payload)+1))
		shift := int(align % 64)
		want, next := reference(payload, key)
		buf, out := newField(len(payload)+64), newField(len(payload)+64)
		for _, im := range impls() {
			checkBoth(t, im, buf, out, shift, payload, key, want, next)

			b := buf.at(shift, len(payload))
			copy(b, payload)
			k := im.fn(b[:cut], b[:cut], key)
			if k = im.fn(b[cut:], b[cut:], k); k != next || !bytes.Equal(b, want) {
				t.Fatalf("%s: cut at %d of %d: % x and key % x, want % x and % x",
					im.name, cut, len(payload), b, k, want, next)
			}
			if im.fn(b, b, key); !bytes.Equal(b, payload) {
				t.Fatalf("%s: masking twice does not give the payload back", im.name)
			}
			buf.clear(64+shift, 64+shift+len(b))
		}
	})
}
