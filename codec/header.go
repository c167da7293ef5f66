package codec

import (
	"encoding/binary"

	"github.com/hybi-go/hybi/mask"
)

// A Header is what stands ahead of a frame's payload (RFC 6455 §5.2):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	|F|R|R|R| opcode|M| Payload len |    Extended payload length    |
//	|I|S|S|S|  (4)  |A|     (7)     |             (16/64)           |
//	|N|V|V|V|       |S|             |   (if payload len==126/127)   |
//	| |1|2|3|       |K|             |                               |
//	+-+-+-+-+-------+-+-------------+ - - - - - - - - - - - - - - - +
//	|                 then the masking-key, 4 octets, if MASK       |
//	+---------------------------------------------------------------+
type Header struct {
	FIN              bool // last frame of its message
	RSV1, RSV2, RSV3 bool // owned by extensions
	Opcode           Opcode
	Masked           bool     // the MASK bit: MaskingKey is on the wire
	MaskingKey       mask.Key // in wire order; zero if not Masked
	PayloadLength    int64    // octets, 0 to 2^63-1
}

// The sizes of headers in octets.
const (
	MaxHeaderSize  = 14  // 2, 8 of payload length, 4 of masking-key
	MaxControlSize = 131 // a masked control frame: 2, 4, 125 of payload
)

const (
	maxControlPayload = 125
	length16          = 126 // payload len: the length is in the next two octets
	length64          = 127 // payload len: the length is in the next eight octets
	finBit            = 0x80
	rsvBits           = 0x70
	maskBit           = 0x80
)

// ParseHeader decodes the header at the start of b and returns its length n in
// octets. If b ends inside a header that is right so far, n is 0 and err nil.
//
// It judges what a header shows by itself: reserved opcodes, fragmented or
// overlong control frames, payload lengths. RSV bits, the MASK bit's direction
// and the order of frames depend on the connection: a Parser judges those too.
// Every error is a *ProtocolError, told as soon as it is certain; n is then the
// index of the octet that shows it.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) == 0 {
		return Header{}, 0, nil
	}
	h.setFirst(b[0])
	if broken := h.judgeFirst(); broken != 0 {
		return Header{}, 0, protocolErrors[broken]
	}
	if len(b) == 1 {
		return Header{}, 0, nil
	}
	h.Masked = b[1]&maskBit != 0
	if index, broken := h.parseLength(b, 1<<63-1); broken != 0 {
		return Header{}, index, protocolErrors[broken]
	}
	n = headerSize(b[1])
	if len(b) < n {
		return Header{}, 0, nil
	}
	if h.Masked {
		h.MaskingKey = mask.Key(b[n-4 : n])
	}
	return h, n, nil
}

// setFirst takes FIN, RSV and opcode from a header's first octet.
func (h *Header) setFirst(b byte) {
	h.FIN = b&finBit != 0
	h.RSV1, h.RSV2, h.RSV3 = b&0x40 != 0, b&0x20 != 0, b&0x10 != 0
	h.Opcode = Opcode(b & 0xF)
}

// judgeFirst returns the rule that a header's first octet breaks in any
// connection, or 0.
func (h *Header) judgeFirst() Rule {
	switch {
	case h.Opcode.IsReserved():
		return RuleReservedOpcode
	case h.Opcode.IsControl() && !h.FIN:
		return RuleFragmentedControl
	}
	return 0
}

// parseLength takes the payload length from b, a header of two octets or more.
// It goes octet by octet, as a violation is to be told at the first octet that
// shows it, and takes a length as too big once its leading octets say so. If b
// ends inside the length, PayloadLength is the least that it can still be.
func (h *Header) parseLength(b []byte, limit int64) (index int, broken Rule) {
	short := b[1] &^ maskBit
	if h.Opcode.IsControl() {
		switch {
		case short > maxControlPayload:
			return 1, RuleControlTooLong
		case short == 1 && h.Opcode == OpClose:
			return 1, RuleClosePayload
		}
	}
	size := 0
	switch short {
	default:
		h.PayloadLength = int64(short)
		if !h.Opcode.IsControl() && h.PayloadLength > limit {
			return 1, RuleMessageTooBig
		}
		return 0, 0
	case length16:
		size = 2
	case length64:
		size = 8
	}
	var length uint64
	for i := 0; i < size && 2+i < len(b); i++ {
		length |= uint64(b[2+i]) << (8 * (size - 1 - i))
		switch {
		case length >= 1<<63:
			return 2 + i, RuleLengthTopBit
		case size == 2 && i == 1 && length < length16,
			size == 8 && i == 5 && length < 1<<16:
			return 2 + i, RuleNonMinimalLength
		case length > uint64(limit):
			return 2 + i, RuleMessageTooBig
		}
	}
	h.PayloadLength = int64(length)
	return 0, 0
}

// headerSize returns the length in octets of the header whose second octet is b.
func headerSize(b byte) int {
	n := 2
	switch b &^ maskBit {
	case length16:
		n += 2
	case length64:
		n += 8
	}
	if b&maskBit != 0 {
		n += 4
	}
	return n
}

// AppendHeader appends h to dst in its one minimal form and returns the
// extended slice: 2 to MaxHeaderSize octets. It writes what it is told, RSV bits
// and reserved opcodes too, so that tests and extensions can use it; it panics
// if PayloadLength is negative or Opcode over 4 bits.
func AppendHeader(dst []byte, h Header) []byte {
	if h.PayloadLength < 0 || h.Opcode > 0xF {
		panic("codec: AppendHeader: negative PayloadLength or Opcode over 4 bits: set both from the frame to be written")
	}
	b0, b1 := byte(h.Opcode), byte(0)
	if h.FIN {
		b0 |= finBit
	}
	if h.RSV1 {
		b0 |= 0x40
	}
	if h.RSV2 {
		b0 |= 0x20
	}
	if h.RSV3 {
		b0 |= 0x10
	}
	if h.Masked {
		b1 = maskBit
	}
	switch {
	case h.PayloadLength <= maxControlPayload:
		dst = append(dst, b0, b1|byte(h.PayloadLength))
	case h.PayloadLength <= 0xFFFF:
		dst = append(dst, b0, b1|length16)
		dst = binary.BigEndian.AppendUint16(dst, uint16(h.PayloadLength))
	default:
		dst = append(dst, b0, b1|length64)
		dst = binary.BigEndian.AppendUint64(dst, uint64(h.PayloadLength))
	}
	if h.Masked {
		dst = append(dst, h.MaskingKey[:]...)
	}
	return dst
}
