package codec

import (
	"encoding/binary"
	"math/bits"

	"github.com/hybi-go/hybi/mask"
)

// The parser cuts a stream of octets into events. Its theory:
//
//	       offset                         the input that a call is given
//	          │
//	··········▼─────────────┬──────────────────────────────┬────────────────
//	  taken   │   header    │ payload, remaining octets    │ next frame …
//	··········▲─────────────┴──────────────────────────────┴────────────────
//	          └ atFrame       inPayload
//
// A header is taken whole or not at all; so is a control frame, header and
// payload. Payload of a data frame is taken as it comes. Hence the parser holds
// no octet of the stream: it holds counts, the masking-key rotated to the next
// octet, and the state of the UTF-8 automaton.
//
// What it says must not depend on how the stream was cut into calls. So a
// violation belongs to one octet, the first that makes it certain; everything
// before that octet is taken and, if it is payload of text, handed on; the error
// comes with the offset standing at that octet. Judging a header therefore
// goes octet by octet (judge); the frames that nearly all traffic consists of
// pass by a shorter road first (Next) that gives up on anything it does not like.
//
// The transitions, all of them in this file:
//
//	atFrame ──data header──► inPayload ──last octet──► atFrame
//	atFrame ──close frame──► afterClose: takes all, says nothing
//	any ──violation──► failed: takes nothing, repeats the error, until Reset
type place uint8

const (
	atFrame place = iota
	inPayload
	afterClose
	failed
)

// The parser's flags. Next's short road wants place and flags both zero.
const (
	isClient  uint8 = 1 << iota // Role is Client
	inMessage                   // a fragmented message is open
	lastFrame                   // the frame being read has FIN
	opened                      // First has been told of the message being read
)

// A Config is what a Parser needs to know of its endpoint. The zero Config is a
// server's, without limits.
type Config struct {
	Role Role

	// MaxMessage is the most octets of payload a message may have, all
	// fragments together; 0 is no limit but 2^63-1. A frame that announces
	// more is refused at its header.
	MaxMessage int64

	// MaxFragments is the most frames that a message may consist of, empty
	// ones included; 0 is no limit.
	MaxFragments int
}

// A Parser decodes one direction of a connection, from the octet after the
// opening handshake. It makes no system call, allocates nothing, and holds no
// octet of its input. The zero Parser is a server's without extensions and
// without limits. Use Reset for another.
//
// A Parser is not for use by several goroutines at once.
type Parser struct {
	offset       int64 // octets taken since Reset
	remaining    int64 // octets of the frame's payload still to come
	announced    int64 // octets of the message so far, by its frames' headers
	maxMessage   int64
	fragments    uint32 // frames of the message so far
	maxFragments uint32
	key          mask.Key // for the next octet of payload
	place        place
	flags        uint8
	opcode       Opcode // of the message being read
	text         utf8State
	broken       Rule // why the place is failed
}

// An Event is what a Parser found: a piece of a message, or a control frame.
//
// A message that consists of one frame and lies whole in the input is one
// Event with First and Last both set. Any other is a series of pieces, the
// first with First and the last with Last; pieces may be empty, and control
// frames may come between them.
//
// The octets are lent: they alias the input and are valid only until the
// input's memory is reused.
type Event struct {
	// Payload is unmasked, and for text checked to be UTF-8 so far: pieces of
	// text may end inside a code point, messages do not. A close frame's
	// payload is for ParseClose.
	Payload []byte

	// Opcode is the message's, OpText or OpBinary, or the control frame's:
	// OpClose, OpPing, OpPong. It is never OpContinuation, whose value, zero,
	// says that there is no event.
	Opcode Opcode

	First bool // the piece begins a message
	Last  bool // the piece ends a message; set for control frames too
}

// Reset makes p ready for a new stream of the kind that c describes. It panics
// if a limit is negative: 0 is none.
func (p *Parser) Reset(c Config) {
	if c.MaxMessage < 0 || c.MaxFragments < 0 {
		panic("codec: Config with a negative limit: set 0 for none")
	}
	*p = Parser{
		maxMessage:   c.MaxMessage,
		maxFragments: uint32(min(uint64(c.MaxFragments), 1<<32-1)),
	}
	if c.Role == Client {
		p.flags = isClient
	}
}

// InputOffset returns how many octets p has taken since Reset. After an error
// it is the offset of the octet that showed the violation.
func (p *Parser) InputOffset() int64 { return p.offset }

// InMessage reports whether p stands inside a message: between its fragments,
// or inside a data frame. After a close frame and after an error it does not.
func (p *Parser) InMessage() bool { return p.flags&inMessage != 0 && p.place < afterClose }

// Next parses a prefix of in and returns the first event in it and the prefix's
// length n. Payload is unmasked in place. The octets behind the prefix are not
// changed and must be given again, ahead of what follows them in the stream.
//
// No event (Opcode zero) and no error means that in ends inside a header or a
// control frame: at most MaxControlSize-1 octets are left over. After a close frame
// everything is taken and nothing reported (RFC 6455 §5.5.1).
//
// Every error is a *ProtocolError, with the code for the close frame, and is
// repeated until Reset. Violations are told as soon as they are certain, even if
// the header, the code point or the frame is not complete; see InputOffset.
//
// The octets are lent: they alias the input and are valid only until the
// input's memory is reused.
func (p *Parser) Next(in []byte) (ev Event, n int, err error) {
	// The short road: a server's parser between messages, and a masked text or
	// binary frame with FIN that lies whole in the input. It takes the first two
	// octets for one number, the second on top: length and opcode are in registers then.
	if p.place != atFrame || p.flags != 0 || len(in) < 8 {
		return p.next(in)
	}
	le := binary.LittleEndian
	first2 := uint(le.Uint16(in))
	if first2&shortBits != shortFrame || (first2+1)&2 == 0 { // opcode 1 or 2
		return p.next(in)
	}
	size, head := int(first2>>8)-maskBit, 6
	if size > maxControlPayload {
		size, head = int(binary.BigEndian.Uint16(in[2:])), 8
		if first2>>8 != maskBit|length16 || size < length16 {
			return p.next(in)
		}
	}
	n = head + size
	if n > len(in) || p.maxMessage != 0 && int64(size) > p.maxMessage {
		return p.next(in)
	}
	payload := in[head:n:n]
	isText := Opcode(first2&0xF) == OpText
	if len(payload) >= 16 && len(payload) <= 32 {
		// As mask.XOR does it, which for so few octets costs less than a call:
		// 6.0 against 7.3 ns. That the words are ASCII is then all but free.
		key := uint64(le.Uint32(in[2:]))
		key |= key << 32
		end := bits.RotateLeft64(key, -8*len(payload))
		w, x := le.Uint64(payload)^key, le.Uint64(payload[8:])^key
		y, z := le.Uint64(payload[len(payload)-16:])^end, le.Uint64(payload[len(payload)-8:])^end
		if !isText || (w|x|y|z)&notASCII == 0 {
			le.PutUint64(payload, w)
			le.PutUint64(payload[8:], x)
			le.PutUint64(payload[len(payload)-16:], y)
			le.PutUint64(payload[len(payload)-8:], z)
			p.offset += int64(n)
			return Event{Payload: payload, Opcode: Opcode(first2 & 0xF), First: true, Last: true}, n, nil
		}
	}
	if !isText && len(payload) >= 64 && len(payload) < 96 {
		// The same again: 6.7 against 7.9 ns for 64. Whole tiles of 64 only, or there
		// would be more words than registers.
		key := uint64(le.Uint32(in[2:]))
		key |= key << 32
		tile := (*[64]byte)(payload)
		le.PutUint64(tile[0:], le.Uint64(tile[0:])^key)
		le.PutUint64(tile[8:], le.Uint64(tile[8:])^key)
		le.PutUint64(tile[16:], le.Uint64(tile[16:])^key)
		le.PutUint64(tile[24:], le.Uint64(tile[24:])^key)
		le.PutUint64(tile[32:], le.Uint64(tile[32:])^key)
		le.PutUint64(tile[40:], le.Uint64(tile[40:])^key)
		le.PutUint64(tile[48:], le.Uint64(tile[48:])^key)
		le.PutUint64(tile[56:], le.Uint64(tile[56:])^key)
		if len(payload) > 64 {
			mask.XOR(payload[64:], mask.Key(in[2:6]))
		}
		p.offset += int64(n)
		return Event{Payload: payload, Opcode: OpBinary, First: true, Last: true}, n, nil
	}
	key := mask.Key(in[head-4 : head])
	if !isText {
		mask.XOR(payload, key)
	} else if !unmaskText(payload, key) {
		mask.XOR(payload, key) // as it was: the long road tells where
		return p.next(in)
	}
	p.offset += int64(n)
	return Event{Payload: payload, Opcode: Opcode(first2 & 0xF), First: true, Last: true}, n, nil
}

// What Next's short road asks of a frame's first two octets, the first of them
// lowest: FIN, no RSV bit, opcode below 4, MASK.
const (
	shortBits  = finBit | rsvBits | 0x0C | maskBit<<8
	shortFrame = finBit | maskBit<<8
)

// next is Next without the short road.
func (p *Parser) next(in []byte) (ev Event, n int, err error) {
	switch p.place {
	case afterClose:
		p.offset += int64(len(in))
		return Event{}, len(in), nil
	case failed:
		return Event{}, 0, protocolErrors[p.broken]
	case inPayload:
		return p.payload(in, 0)
	}
	var h Header
	head, index, broken := p.judge(&h, in)
	if broken != 0 {
		return p.fail(index, broken)
	}
	if h.Opcode == OpClose {
		if index, broken := p.judgeCloseFrame(&h, in, head); broken != 0 {
			return p.fail(index, broken)
		}
	}
	if head == 0 {
		return Event{}, 0, nil
	}
	if h.Opcode.IsControl() {
		return p.control(&h, in, head)
	}
	p.begin(&h)
	return p.payload(in, head)
}

// judge decodes the header at the start of in into h and returns its length, or
// 0 if it is not whole. It returns the rule that the octets there are break
// for certain, and the index of the octet that shows it.
func (p *Parser) judge(h *Header, in []byte) (head, index int, broken Rule) {
	if len(in) == 0 {
		return 0, 0, 0
	}
	h.setFirst(in[0])
	if broken := p.judgeFirst(h, in[0]); broken != 0 || len(in) == 1 {
		return 0, 0, broken
	}
	h.Masked = in[1]&maskBit != 0
	if h.Masked != (p.flags&isClient == 0) {
		if h.Masked {
			return 0, 1, RuleMasked
		}
		return 0, 1, RuleUnmasked
	}
	limit := int64(1<<63 - 1)
	if p.maxMessage != 0 {
		limit = p.maxMessage
	}
	if p.flags&inMessage != 0 {
		limit -= p.announced
	}
	if index, broken := h.parseLength(in, limit); broken != 0 {
		return 0, index, broken
	}
	// A code point cut by the last fragment but one is hopeless if the last is
	// too short for its rest.
	if h.Opcode == OpContinuation && h.FIN && h.PayloadLength < 3 && int(in[1]&^maskBit) < p.text.need() {
		return 0, 1, RuleTextUTF8
	}
	head = headerSize(in[1])
	if len(in) < head {
		return 0, 0, 0
	}
	if h.Masked {
		h.MaskingKey = mask.Key(in[head-4 : head])
	}
	return head, 0, 0
}

// judgeFirst returns the rule that a header's first octet breaks here, or 0.
func (p *Parser) judgeFirst(h *Header, octet byte) Rule {
	if octet&rsvBits != 0 {
		return RuleReservedBits
	}
	if broken := h.judgeFirst(); broken != 0 {
		return broken
	}
	switch {
	case h.Opcode == OpContinuation && p.flags&inMessage == 0:
		return RuleLoneContinuation
	case h.Opcode.IsData() && p.flags&inMessage != 0:
		return RuleInterruptedMessage
	case h.Opcode == OpContinuation && p.maxFragments != 0 && p.fragments >= p.maxFragments:
		return RuleTooManyFragments
	}
	return 0
}

// judgeCloseFrame judges as much of a close frame's payload as in has, without
// changing in. head is 0 while the header is not whole.
func (p *Parser) judgeCloseFrame(h *Header, in []byte, head int) (index int, broken Rule) {
	if head == 0 {
		return 0, 0
	}
	var plain [maxControlPayload]byte
	seen := plain[:copy(plain[:h.PayloadLength], in[head:])]
	if h.Masked {
		mask.XOR(seen, h.MaskingKey)
	}
	index, broken = judgeClose(seen, int(h.PayloadLength))
	return head + index, broken
}

// control takes a control frame, if in has the whole of it.
func (p *Parser) control(h *Header, in []byte, head int) (Event, int, error) {
	n := head + int(h.PayloadLength)
	if len(in) < n {
		return Event{}, 0, nil
	}
	payload := in[head:n:n]
	if h.Masked {
		mask.XOR(payload, h.MaskingKey)
	}
	if h.Opcode == OpClose {
		p.place = afterClose
	}
	p.offset += int64(n)
	return Event{Payload: payload, Opcode: h.Opcode, First: true, Last: true}, n, nil
}

// begin enters a data frame whose header has been judged.
func (p *Parser) begin(h *Header) {
	if h.Opcode != OpContinuation {
		p.opcode = h.Opcode
		p.announced, p.fragments, p.text = 0, 0, utf8Accept
		p.flags &^= opened
	}
	p.flags |= inMessage
	p.flags &^= lastFrame
	if h.FIN {
		p.flags |= lastFrame
	}
	if p.maxFragments != 0 {
		p.fragments++
	}
	p.announced += h.PayloadLength
	p.remaining = h.PayloadLength
	p.key = h.MaskingKey
	p.place = inPayload
}

// payload takes what in has of a data frame's payload. The first head octets of
// in are the frame's header, which the caller has read.
func (p *Parser) payload(in []byte, head int) (Event, int, error) {
	if len(in) == 0 {
		return Event{}, 0, nil
	}
	piece := in[head:]
	if int64(len(piece)) > p.remaining {
		piece = piece[:p.remaining]
	}
	key := p.key
	if p.opcode != OpText {
		if p.flags&isClient == 0 {
			p.key = mask.XOR(piece, key)
		}
	} else if valid := p.validate(piece); valid < len(piece) {
		if p.flags&isClient == 0 {
			mask.XOR(piece, key) // what is not taken stays as it came
			mask.XOR(piece[:valid], key)
		}
		return p.hopeless(piece[:valid:valid], head)
	}
	p.remaining -= int64(len(piece))
	n := head + len(piece)
	p.offset += int64(n)
	ev := Event{Payload: piece[:len(piece):len(piece)], Opcode: p.opcode, First: p.flags&opened == 0}
	p.flags |= opened
	if p.remaining == 0 {
		p.place = atFrame
		if p.flags&lastFrame != 0 {
			p.flags &= isClient
			ev.Last = true
		}
	}
	return ev, n, nil
}

// validate unmasks a piece of text, a server's, and returns how much of it may be
// taken: all, if it is UTF-8 so far.
func (p *Parser) validate(piece []byte) (valid int) {
	if p.flags&isClient == 0 {
		valid, p.text, p.key = p.text.unmaskScan(piece, p.key)
	} else {
		valid, p.text = p.text.scan(piece)
	}
	rest := int64(utf8MaxNeed) // other fragments may follow
	if p.flags&lastFrame != 0 {
		rest = p.remaining - int64(len(piece))
	}
	return p.text.upTo(piece, valid, rest)
}

// hopeless handles text that is not UTF-8 from the end of valid on: what stands
// before that is an event as any other, and the next call returns the error.
func (p *Parser) hopeless(valid []byte, head int) (Event, int, error) {
	n := head + len(valid)
	if n == 0 {
		return p.fail(0, RuleTextUTF8)
	}
	p.offset += int64(n)
	p.place, p.broken = failed, RuleTextUTF8
	return Event{Payload: valid, Opcode: OpText, First: p.flags&opened == 0}, n, nil
}

// fail takes the octets before index and makes the rule broken there permanent.
func (p *Parser) fail(index int, broken Rule) (Event, int, error) {
	p.offset += int64(index)
	p.place, p.broken = failed, broken
	return Event{}, index, protocolErrors[broken]
}
