package mask

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// A kernel masks any number of octets at one level of the processor.
type kernel struct {
	name      string
	available bool
	fn        func(dst, src []byte, key uint32)
}

// kernels has every kernel of this build; chosen is the one that XOR uses.
var (
	kernels = []kernel{{"generic", true, xorGeneric}}
	chosen  = "generic"
)

// An impl is one way to do what XORTo does, in place if dst is src.
type impl struct {
	name string
	fn   func(dst, src []byte, key Key) Key
}

// impls has the exported functions and every kernel that can run here.
func impls() []impl {
	all := []impl{{"exported", func(dst, src []byte, key Key) Key {
		if len(src) > 0 && &dst[0] == &src[0] {
			return XOR(src, key)
		}
		return XORTo(dst, src, key)
	}}, {"XORTo", XORTo}}
	for _, k := range kernels {
		if k.available {
			all = append(all, impl{k.name, k.call})
		}
	}
	return all
}

func (k kernel) call(dst, src []byte, key Key) Key {
	word := binary.LittleEndian.Uint32(key[:])
	next := bits.RotateLeft32(word, -8*len(src))
	k.fn(dst, src, word)
	binary.LittleEndian.PutUint32(key[:], next)
	return key
}

func TestMain(m *testing.M) {
	var have, lack []string
	for _, k := range kernels {
		if k.available {
			have = append(have, k.name)
		} else {
			lack = append(lack, k.name)
		}
	}
	if len(lack) == 0 {
		lack = append(lack, "none")
	}
	fmt.Printf("mask: kernels tested: %s; lacking on this machine: %s; XOR uses: %s\n",
		strings.Join(have, " "), strings.Join(lack, " "), chosen)
	os.Exit(m.Run())
}

// reference is RFC 6455 section 5.3 as it reads.
func reference(src []byte, key Key) (masked []byte, next Key) {
	masked = make([]byte, len(src))
	for i := range src {
		masked[i] = src[i] ^ key[i%4]
	}
	for j := range next {
		next[j] = key[(len(src)+j)%4]
	}
	return masked, next
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewPCG(6455, 53)
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return b
}

const canary = 0xa5

// A field is memory in which slices at every alignment are checked for what
// they hold and for what stands to both sides of them.
type field []byte

func newField(n int) field {
	f := make(field, n+192)
	f.clear(0, len(f))
	return f
}

func (f field) clear(from, to int) {
	for b := f[from:to]; len(b) > 0; {
		b = b[copy(b, canaries):]
	}
}

// at returns n octets that begin align octets past the middle of the margin,
// with the capacity of all that follows, as a read buffer's have.
func (f field) at(align, n int) []byte { return f[64+align:][:n] }

// check verifies that the octets at (align, n) are want and that 64 on either
// side are untouched; then it puts the field back in order.
func (f field) check(t *testing.T, align int, want []byte) {
	t.Helper()
	lo, hi := 64+align, 64+align+len(want)
	if !bytes.Equal(f[lo:hi], want) {
		for i := range want {
			if f[lo+i] != want[i] {
				t.Fatalf("octet %d is %02x, want %02x", i, f[lo+i], want[i])
			}
		}
	}
	if !bytes.Equal(f[lo-64:lo], canaries) || !bytes.Equal(f[hi:hi+64], canaries) {
		t.Fatalf("octets outside of the slice were written")
	}
	f.clear(lo, hi)
}

var canaries = bytes.Repeat([]byte{canary}, 64)

var testKey = Key{0x37, 0xfa, 0x21, 0x3d}

// phase returns key as it stands after n octets.
func phase(key Key, n int) Key {
	return Key{key[n%4], key[(n+1)%4], key[(n+2)%4], key[(n+3)%4]}
}

func TestGolden(t *testing.T) {
	for _, c := range []struct {
		from, clear, key, masked string
		next                     Key
	}{
		// RFC 6455 section 5.7, "A single-frame masked text message".
		{"section 5.7", "Hello", "\x37\xfa\x21\x3d", "\x7f\x9f\x4d\x51\x58", Key{0xfa, 0x21, 0x3d, 0x37}},
		{"section 5.3", "Hello World!", "\xff\xb8\xbd\xbd",
			"\xb7\xdd\xd1\xd1\x90\x98\xea\xd2\x8d\xd4\xd9\x9c", Key{0xff, 0xb8, 0xbd, 0xbd}},
		// Section 5.3 lays no bounds on the key: four zeros are one.
		{"zero key", "Hello", "\x00\x00\x00\x00", "Hello", Key{}},
		{"no payload", "", "\x01\x02\x03\x04", "", Key{1, 2, 3, 4}},
		{"one octet", "\x00", "\x01\x02\x03\x04", "\x01", Key{2, 3, 4, 1}},
		{"two octets", "\x00\x00", "\x01\x02\x03\x04", "\x01\x02", Key{3, 4, 1, 2}},
		{"three octets", "\x00\x00\x00", "\x01\x02\x03\x04", "\x01\x02\x03", Key{4, 1, 2, 3}},
	} {
		for _, im := range impls() {
			for _, way := range [][2]string{{c.clear, c.masked}, {c.masked, c.clear}} {
				b := []byte(way[0])
				if next := im.fn(b, b, Key([]byte(c.key))); string(b) != way[1] || next != c.next {
					t.Errorf("%s: %s: % x gives % x and key % x, want % x and % x",
						c.from, im.name, way[0], b, next, way[1], c.next)
				}
			}
		}
	}
	if next := XOR(nil, testKey); next != testKey {
		t.Errorf("XOR(nil) returns % x", next)
	}
	if next := XORTo(nil, nil, testKey); next != testKey {
		t.Errorf("XORTo(nil, nil) returns % x", next)
	}
}

// TestReference compares all there is with the octet loop: every length to
// 1,024, at every alignment and phase, in place and from one slice to another.
// Hazard 9.
func TestReference(t *testing.T) {
	const maxLen = 1024
	data := noise(maxLen)
	for _, im := range impls() {
		t.Run(im.name, func(t *testing.T) {
			f, g := newField(maxLen+64), newField(maxLen+64)
			for n := 0; n <= maxLen; n++ {
				if raceEnabled && n > 130 && n%8 != 1 {
					continue // the detector makes it ten times slower
				}
				for p := range 4 {
					key := phase(testKey, p)
					want, next := reference(data[:n], key)
					for align := range 64 {
						checkBoth(t, im, f, g, align, data[:n], key, want, next)
					}
				}
			}
		})
	}
}

func TestReferenceLarge(t *testing.T) {
	data := noise(1<<20 + 1)
	for _, im := range impls() {
		t.Run(im.name, func(t *testing.T) {
			f, g := newField(len(data)+64), newField(len(data)+64)
			for _, n := range []int{1025, 1279, 1280, 1281, 2047, 2048, 2049, 4095, 4096, 4097,
				65535, 65536, 65537, 1 << 20, 1<<20 + 1} {
				for _, align := range []int{0, 1, 31, 62, 63} {
					key := phase(testKey, align+n)
					want, next := reference(data[:n], key)
					checkBoth(t, im, f, g, align, data[:n], key, want, next)
				}
			}
		})
	}
}

func checkBoth(t *testing.T, im impl, f, g field, align int, data []byte, key Key, want []byte, next Key) {
	t.Helper()
	n := len(data)
	b := f.at(align, n)
	copy(b, data)
	if got := im.fn(b, b, key); got != next {
		t.Fatalf("in place, n=%d align=%d key=% x: returned key is % x, want % x", n, align, key, got, next)
	}
	f.check(t, align, want)
	// The source is aligned otherwise than what it goes to.
	other := (align*5 + 3) % 64
	src, dst := g.at(other, n), f.at(align, n)
	copy(src, data)
	if got := im.fn(dst, src, key); got != next {
		t.Fatalf("to dst, n=%d align=%d key=% x: returned key is % x, want % x", n, align, key, got, next)
	}
	f.check(t, align, want)
	g.check(t, other, data)
}

// TestSplit masks a payload in two pieces cut at every place, and in many, by
// the key that each call returns, and wants what a single call gives. Hazard 8.
func TestSplit(t *testing.T) {
	data := noise(700)
	for _, im := range impls() {
		for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 17, 33, 64, 65, 131, 257, 700} {
			want, next := reference(data[:n], testKey)
			for cut := range n + 1 {
				b := bytes.Clone(data[:n])
				key := im.fn(b[:cut], b[:cut], testKey)
				anew := cut%4 != 0 && key == testKey
				key = im.fn(b[cut:], b[cut:], key)
				if anew || key != next || !bytes.Equal(b, want) {
					t.Fatalf("%s: %d octets cut at %d differ from a single call", im.name, n, cut)
				}
			}
			for step := 1; step <= 130; step++ {
				b, key := bytes.Clone(data[:n]), testKey
				for i := 0; i < n; i += step {
					piece := b[i:min(i+step, n)]
					key = im.fn(piece, piece, key)
				}
				if key != next || !bytes.Equal(b, want) {
					t.Fatalf("%s: %d octets in pieces of %d differ from a single call", im.name, n, step)
				}
			}
		}
	}
}

// XORTo writes what it is told to and no octet more. Hazard 9.
func TestXORToLeavesTheRest(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 8, 16, 40, 64, 65, 200, 600} {
		src := noise(n)
		dst := bytes.Repeat([]byte{canary}, n+64)
		want, _ := reference(src, testKey)
		XORTo(dst, src, testKey)
		if !bytes.Equal(dst[:n], want) || !bytes.Equal(dst[n:], canaries) {
			t.Errorf("n=%d: dst is wrong or was written beyond len(src)", n)
		}
		if !bytes.Equal(src, noise(n)) {
			t.Errorf("n=%d: src was changed", n)
		}
	}
}

func TestXORToPanics(t *testing.T) {
	b := noise(1024)
	for _, c := range []struct {
		name     string
		dst, src []byte
		want     string
	}{
		{"short", b[:7], b[512:520], "at least len(src)"},
		{"nil dst", nil, b[:1], "at least len(src)"},
		{"capacity is not length", b[:0:64], b[512:513], "at least len(src)"},
		{"short and the same", b[:7], b[:8], "at least len(src)"},
		{"dst one ahead", b[1:9], b[0:8], "overlap"},
		{"dst one behind", b[0:8], b[1:9], "overlap"},
		{"last octet", b[7:15], b[0:8], "overlap"},
		{"last octet, behind", b[0:8], b[7:15], "overlap"},
		{"large", b[300:800], b[0:500], "overlap"},
		{"large, behind", b[0:500], b[300:800], "overlap"},
		{"adjacent", b[8:16], b[0:8], ""},
		{"adjacent, behind", b[0:8], b[8:16], ""},
		{"the same", b[0:500], b[0:500], ""},
		{"the same, dst longer", b[0:600], b[0:500], ""},
		{"only beyond len(src)", b[0:16], b[8:16], ""},
		{"empty inside", b[0:16], b[8:8], ""},
		{"both empty", b[3:3], b[5:5], ""},
	} {
		before := bytes.Clone(b)
		got := func() (msg string) {
			defer func() {
				if v := recover(); v != nil {
					msg = fmt.Sprint(v)
				}
			}()
			XORTo(c.dst, c.src, testKey)
			return ""
		}()
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: panic %q, want one with %q", c.name, got, c.want)
		}
		if got != "" && !bytes.Equal(b, before) {
			t.Errorf("%s: memory was written before the panic", c.name)
		}
		copy(b, before)
	}
}

// TestNoAllocation masks arrays on the stack, which an escaping slice would
// move to the heap.
func TestNoAllocation(t *testing.T) {
	want := 0.0
	if raceEnabled {
		want = 2 // a and b: see tellRace
	}
	if n := testing.AllocsPerRun(100, func() {
		var a, b [600]byte
		key := testKey
		for _, n := range []int{0, 1, 5, 9, 20, 40, 70, 200, 600} {
			key = XOR(a[:n], key)
			key = XORTo(b[:], a[:n], key)
		}
		sink = key
	}); n > want {
		t.Errorf("%v allocations, want %v", n, want)
	}
}

var sink Key
