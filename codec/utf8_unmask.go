package codec

import (
	"encoding/binary"
	"math/bits"

	"github.com/hybi-go/hybi/mask"
)

// Text of a client is unmasked and validated in one pass, while its octets are
// in registers: see docs/measured.md for what two passes cost.

// unmaskText unmasks b in place and reports whether it is UTF-8, as a whole.
func unmaskText(b []byte, key mask.Key) (valid bool) {
	return unmaskWords(b, binary.LittleEndian.Uint32(key[:]))
}

// unmaskWords is unmaskText with the key as a word, its first octet lowest. Up to
// 64 octets of ASCII are done right here, in the way of mask.XOR: words counted
// from the front and as many from the end, read before any is written.
func unmaskWords(b []byte, k uint32) (valid bool) {
	le := binary.LittleEndian
	n := len(b)
	key := uint64(k)<<32 | uint64(k)
	next := bits.RotateLeft64(key, -8*n)
	switch {
	case n > 64:
		good, done := unmaskVector(b, k, uint32(next))
		if good == n && b[n-1] < 0x80 {
			return true
		}
		good, state := scanBehind(b, k, good, done)
		return good == n && state == utf8Accept
	case n > 32:
		s, t, u, v := le.Uint64(b)^key, le.Uint64(b[8:])^key, le.Uint64(b[16:])^key, le.Uint64(b[24:])^key
		w, x, y, z := le.Uint64(b[n-32:])^next, le.Uint64(b[n-24:])^next, le.Uint64(b[n-16:])^next, le.Uint64(b[n-8:])^next
		if (s|t|u|v|w|x|y|z)&notASCII != 0 {
			break
		}
		le.PutUint64(b, s)
		le.PutUint64(b[8:], t)
		le.PutUint64(b[16:], u)
		le.PutUint64(b[24:], v)
		le.PutUint64(b[n-32:], w)
		le.PutUint64(b[n-24:], x)
		le.PutUint64(b[n-16:], y)
		le.PutUint64(b[n-8:], z)
		return true
	case n >= 16:
		w, x, y, z := le.Uint64(b)^key, le.Uint64(b[8:])^key, le.Uint64(b[n-16:])^next, le.Uint64(b[n-8:])^next
		if (w|x|y|z)&notASCII != 0 {
			break
		}
		le.PutUint64(b, w)
		le.PutUint64(b[8:], x)
		le.PutUint64(b[n-16:], y)
		le.PutUint64(b[n-8:], z)
		return true
	case n >= 8:
		x, y := le.Uint64(b)^key, le.Uint64(b[n-8:])^next
		if (x|y)&notASCII != 0 {
			break
		}
		le.PutUint64(b, x)
		le.PutUint64(b[n-8:], y)
		return true
	case n >= 4:
		x, y := le.Uint32(b)^k, le.Uint32(b[n-4:])^uint32(next)
		if (x|y)&(notASCII>>32) != 0 {
			break
		}
		le.PutUint32(b, x)
		le.PutUint32(b[n-4:], y)
		return true
	}
	if good := unmaskShortVector(b, k); good == n {
		return boundary(b) == n
	}
	good, state := scanBehind(b, k, 0, 0)
	return good == n && state == utf8Accept
}

// scanBehind goes on where a kernel gave up, or where there is none: it unmasks
// what is left of b and is otherwise scan from the state of acceptance.
func scanBehind(b []byte, k uint32, good, done int) (n int, next utf8State) {
	if done < len(b) {
		mask.XOR(b[done:], wordKey(k)) // done is a multiple of 4
	}
	// A vector read while its octets are being written by words waits for them:
	// for the shortest the automaton is faster.
	if done == 0 && len(b) >= 16 {
		good = scanVector(b)
	}
	if n = boundary(b[:good]); n == len(b) {
		return n, utf8Accept
	}
	rest, next := utf8Accept.scanGeneric(b[n:])
	return n + rest, next
}

// unmaskScan is scan of b when it has been unmasked, which it does, in place and
// whatever b holds. k is the key rotated to fit the octet after b.
func (s utf8State) unmaskScan(b []byte, key mask.Key) (n int, next utf8State, k mask.Key) {
	if s != utf8Accept {
		n = min(s.need(), len(b))
		key = mask.XOR(b[:n], key)
		if good, next := s.walk(b[:n]); good < n || next != utf8Accept {
			return good, next, mask.XOR(b[n:], key)
		}
	}
	b = b[n:]
	if len(b) <= 64 {
		k = mask.XOR(b, key)
		rest, next := utf8Accept.scan(b)
		return n + rest, next, k
	}
	word := binary.LittleEndian.Uint32(key[:])
	after := bits.RotateLeft32(word, -8*len(b))
	good, done := unmaskVector(b, word, after)
	rest, next := scanBehind(b, word, good, done)
	return n + rest, next, wordKey(after)
}

// wordKey returns the key whose first octet is the lowest of k.
func wordKey(k uint32) (key mask.Key) {
	binary.LittleEndian.PutUint32(key[:], k)
	return key
}
