package main

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"unicode/utf8"

	"github.com/hybi-go/hybi/codec"
)

// A message of the generator is told by its connection and its number in that: size
// and octets follow from these two, so nothing need be kept of what was sent.
//
//	│ number, 8 symbols │ connection, 4 symbols │ octets of the block, from a place of its own │
//	└──────────── the stamp, ASCII ─────────────┴──────────────────────────────────────────────┘
//
// A message shorter than the stamp is its start. The number comes first, its low
// digits ahead, so that short messages differ from their neighbours at least.

const (
	stampSize  = 12
	maxNumber  = 1<<48 - 1 // what the symbols hold
	maxClients = 1<<24 - 1
	places     = 1024 // in the block, 4 octets apart, where a message may begin
)

// messages makes and knows the payloads of one loop.
type messages struct {
	op     codec.Opcode
	least  int
	span   uint64 // sizes are least to least+span-1
	verify bool   // compare what is behind the stamp, too
	block  []byte // pseudo-random; of text, characters begin at each multiple of 4

	lent  []byte // what lend returned, and what was there before
	saved [stampSize]byte
	tail  [4]byte
}

func newMessages(op codec.Opcode, sizes sizeRange, verify bool) messages {
	m := messages{op: op, least: int(sizes.least), span: uint64(sizes.most-sizes.least) + 1, verify: verify}
	m.block = make([]byte, (int(sizes.most)+3)&^3+4*places)
	random := rand.NewChaCha8([32]byte([]byte("hybi load: the same in each run.")))
	if op == codec.OpBinary {
		random.Read(m.block)
		return m
	}
	for b := m.block[:0]; len(b) < len(m.block); {
		b = appendCharacters(b, random.Uint64())
	}
	return m
}

// appendCharacters appends 4 octets of whole characters that r chooses.
func appendCharacters(b []byte, r uint64) []byte {
	end := len(b) + 4
	switch n := uint32(r >> 32); r & 7 {
	case 0:
		b = utf8.AppendRune(b, rune(0x80+n%0x780))
	case 1:
		b = utf8.AppendRune(b, rune(0x800+n%(0xD800-0x800)))
	case 2:
		b = utf8.AppendRune(b, rune(0x10000+n%0x100000))
	}
	for r >>= 3; len(b) < end; r >>= 5 {
		b = append(b, 'a'+byte(r&31)%26)
	}
	return b
}

// mix returns what size and place of a message follow from.
func mix(client uint32, number uint64) uint64 {
	x := number*0x9E3779B97F4A7C15 + uint64(client)*0xBF58476D1CE4E5B9
	x = (x ^ x>>32) * 0xD6E8FEB86659FD93
	return x ^ x>>29
}

// size returns the size that the high bits of x choose, and start the place that the
// low ones do.
func (m *messages) size(x uint64) int {
	high, _ := bits.Mul64(x, m.span)
	return m.least + int(high)
}

func start(x uint64) int { return 4 * int(x%places) }

// spread puts each 6 bits of x, 48 in all, into an octet of ASCII.
func spread(x uint64) uint64 {
	x = x&0xFFFFFF | x>>24&0xFFFFFF<<32
	x = x&0x00000FFF00000FFF | x&0x00FFF00000FFF000<<4
	x = x&0x003F003F003F003F | x&0x0FC00FC00FC00FC0<<2
	return x + 0x3030303030303030
}

// gather is the inverse of spread. It reports false for octets that spread does not
// write.
func gather(x uint64) (_ uint64, ok bool) {
	for i := 0; i < 64; i += 8 {
		if x>>i&0xFF-0x30 > 0x3F {
			return 0, false
		}
	}
	x -= 0x3030303030303030
	x = x&0x003F003F003F003F | x>>2&0x0FC00FC00FC00FC0
	x = x&0x00000FFF00000FFF | x>>4&0x00FFF00000FFF000
	return x&0xFFFFFF | x>>32&0xFFFFFF<<24, true
}

// A stamp is the start of a message.
type stamp [stampSize]byte

func stampOf(client uint32, number uint64) (s stamp) {
	binary.LittleEndian.PutUint64(s[:], spread(number))
	binary.LittleEndian.PutUint32(s[8:], uint32(spread(uint64(client))))
	return s
}

// cut returns what a message of n octets has of s.
func (s *stamp) cut(n int) []byte {
	if n == 3 {
		s[2] = '0' | s[2]&0xF // else a text could be "bye", which `hybi echo` takes for a farewell
	}
	return s[:min(n, stampSize)]
}

// parseStamp tells whose message begins like that.
func parseStamp(payload []byte) (client uint32, number uint64, ok bool) {
	if len(payload) < stampSize {
		return 0, 0, false
	}
	number, ok = gather(binary.LittleEndian.Uint64(payload))
	id, also := gather(uint64(binary.LittleEndian.Uint32(payload[8:])) | 0x30303030<<32)
	return uint32(id), number, ok && also
}

// lend returns a message, in the block itself so that nothing is copied. It is valid
// until giveBack, which must come before any other use of m.
func (m *messages) lend(client uint32, number uint64) []byte {
	x := mix(client, number)
	n, at := m.size(x), start(x)
	p := m.block[at : at+n : at+n]
	s := stampOf(client, number)
	m.lent = p
	copy(m.saved[:], p)
	copy(p, s.cut(n))
	if rest := m.rest(n); rest > 0 {
		copy(m.tail[:], p[n-rest:])
		copy(p[n-rest:], s[:rest])
	}
	return p
}

// rest returns how many octets at the end of a text of n may cut a character of the
// block short. The start of the stamp stands there instead.
func (m *messages) rest(n int) int {
	if m.op == codec.OpText && n > stampSize {
		return n % 4
	}
	return 0
}

func (m *messages) giveBack() {
	n := len(m.lent)
	if rest := m.rest(n); rest > 0 {
		copy(m.lent[n-rest:], m.tail[:rest])
	}
	copy(m.lent, m.saved[:])
	m.lent = nil
}

// A fault is what is wrong with an echo.
type fault uint8

const (
	faultNone    fault = iota
	faultType          // text for binary, or the reverse
	faultLength        // another length
	faultOctets        // other octets
	faultTwice         // had come before
	faultOrder         // came behind one that was sent later
	faultStray         // is another connection's
	faultUnasked       // nothing was awaited
	faultLost          // never came, though later ones did

	numFaults
)

var faultNames = [numFaults]string{"", "of_other_type", "of_other_length", "altered", "doubled", "out_of_order", "of_other_connection", "unasked", "lost"}

// judge says what is wrong with payload as this very message.
func (m *messages) judge(client uint32, number uint64, op codec.Opcode, payload []byte) fault {
	x := mix(client, number)
	n := m.size(x)
	s := stampOf(client, number)
	k := min(n, stampSize)
	switch {
	case len(payload) != n:
		return faultLength
	case !bytes.Equal(s.cut(n), payload[:k]):
		return faultOctets
	case op != m.op:
		return faultType
	case m.verify && n > k:
		at, rest := start(x), m.rest(n)
		if !bytes.Equal(payload[k:n-rest], m.block[at+k:at+n-rest]) || !bytes.Equal(payload[n-rest:], s[:rest]) {
			return faultOctets
		}
	}
	return faultNone
}
