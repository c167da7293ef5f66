package codec

import (
	"encoding/binary"

	"github.com/hybi-go/hybi/mask"
)

// Most frames are short, and when they come by the dozen in one read the call
// per frame is what they cost. A run is a row of such frames, decoded in one
// call: the parser's state does not change from one to the next, so it stays in
// registers. Anything else ends the run and is Next's to judge.

// A Span is a message of one frame by its place in the input.
type Span struct {
	Start, End uint32 // of the payload; the masking-key stands before Start
	Opcode     Opcode // OpText or OpBinary
}

// Payload returns the message. The octets are lent: they alias the input and are
// valid only until the input's memory is reused.
func (s Span) Payload(in []byte) []byte { return in[s.Start:s.End:s.End] }

// size returns the octets of the whole frame.
func (s Span) size() int { return shortHead + int(s.End-s.Start) }

const (
	shortHead = 6         // octets of a masked header with a length in 7 bits
	maxRun    = 1<<31 - 1 // octets of input, as Span counts them and an int of 32 bits
)

// NextRun parses the messages that in begins with, as long as each is one
// masked text or binary frame of at most 125 octets of payload, lies whole in in and breaks
// no rule. It unmasks them in place, checks text to be UTF-8, fills spans with
// them, and returns their number k, at most len(spans), and the octets n they
// occupy. It is what k calls of Next would do: on amd64 with AVX2 in about half of the
// time, while text is ASCII; elsewhere in about the same. It pays where a read brings
// many short messages.
//
// When k is less than len(spans), what follows the run, if anything, is for
// Next: it may be a longer frame, a fragment, a control frame, a violation, or a
// frame that is not whole. A client's parser, and one that stands inside a message,
// find no run.
//
// The octets are lent: they alias the input and are valid only until the
// input's memory is reused.
func (p *Parser) NextRun(in []byte, spans []Span) (k, n int) {
	// Inlined, so that to ask in vain costs next to nothing.
	if len(in) > 1 && in[1]-maskBit <= maxControlPayload {
		k, n = p.run(in, spans)
	}
	return
}

// run is NextRun for what may begin with a short frame.
func (p *Parser) run(in []byte, spans []Span) (k, n int) {
	if p.place != atFrame || p.flags != 0 {
		return 0, 0
	}
	in = in[:min(len(in), maxRun)]
	limit := maxControlPayload
	if p.maxMessage != 0 {
		limit = int(min(p.maxMessage, maxControlPayload))
	}
	for k < len(spans) {
		found, at := shortFrames(in, n, spans[k:], limit)
		k, n = k+found, at
		if k == len(spans) || !p.shortFrame(in[n:], &spans[k], limit) {
			break
		}
		spans[k].Start, spans[k].End = spans[k].Start+uint32(n), spans[k].End+uint32(n)
		n = int(spans[k].End)
		k++
	}
	p.offset += int64(n)
	return k, n
}

// shortFrame is NextRun for the one frame that in begins with; s counts from there.
func (p *Parser) shortFrame(in []byte, s *Span, limit int) bool {
	if len(in) < shortHead {
		return false
	}
	first2 := uint(binary.LittleEndian.Uint16(in))
	size := int(first2>>8) - maskBit
	if first2&shortBits != shortFrame || (first2+1)&2 == 0 || size > limit || size > len(in)-shortHead {
		return false
	}
	s.Start, s.End, s.Opcode = shortHead, uint32(shortHead+size), Opcode(first2&0xF)
	payload, key := s.Payload(in), mask.Key(in[shortHead-4:shortHead])
	if s.Opcode == OpBinary {
		mask.XOR(payload, key)
	} else if !unmaskText(payload, key) {
		mask.XOR(payload, key) // as it was: Next tells where
		return false
	}
	return true
}

// UnreadRun takes back the last messages of the run that NextRun found in in,
// those in spans, as if they had not been parsed: for a caller that must stop in
// the middle. It masks them again and returns where in in they begin. in is the slice
// that was given to NextRun, its octets unchanged, and nothing may have been parsed since.
// It panics if spans is empty.
func (p *Parser) UnreadRun(in []byte, spans []Span) (n int) {
	if len(spans) == 0 {
		panic("codec: UnreadRun of no messages: pass the spans that were not dealt with, one at least")
	}
	for _, s := range spans {
		mask.XOR(s.Payload(in), mask.Key(in[s.Start-4:s.Start]))
		p.offset -= int64(s.size())
	}
	return int(spans[0].Start) - shortHead
}
