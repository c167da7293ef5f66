package codec

import (
	"encoding/binary"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/hybi-go/hybi/mask"
)

// AppendFrame appends a whole frame, h and then payload, to dst and returns the
// extended slice. The payload's length wins over h.PayloadLength. If h.Masked,
// the payload is masked with h.MaskingKey on its way into dst, in one pass;
// payload itself is not changed, and must not overlap dst's spare capacity.
func AppendFrame(dst []byte, h Header, payload []byte) []byte {
	h.PayloadLength = int64(len(payload))
	dst = AppendHeader(dst, h)
	if !h.Masked {
		return append(dst, payload...)
	}
	n := len(dst)
	dst = slices.Grow(dst, len(payload))[:n+len(payload)]
	mask.XORTo(dst[n:], payload, h.MaskingKey)
	return dst
}

// AppendServerFrame appends a whole frame as a server sends nearly all of them:
// FIN set, RSV1-3 not, unmasked. It writes what AppendFrame writes, in less time,
// as a Header goes through memory. It panics if op is over 4 bits; what else may not be sent, as a control
// frame of more than 125 octets, is for the caller to see to.
func AppendServerFrame(dst []byte, op Opcode, payload []byte) []byte {
	if op > 0xF {
		panic("codec: AppendServerFrame: op is over 4 bits: use one of the Op constants")
	}
	switch n := len(payload); {
	case n <= maxControlPayload:
		dst = append(dst, finBit|byte(op), byte(n))
	case n <= 0xFFFF:
		dst = append(dst, finBit|byte(op), length16, byte(n>>8), byte(n))
	default:
		dst = append(dst, finBit|byte(op), length64)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	return append(dst, payload...)
}

// AppendClose appends a server's close frame. CloseNoStatus with an empty
// reason appends one without a payload. If the code may not be sent, or the
// reason is over MaxCloseReason octets or not UTF-8, dst is returned as it was,
// with ErrSendCloseCode or ErrSendCloseReason (RFC 6455 §5.5.1, §7.4).
func AppendClose(dst []byte, code CloseCode, reason string) ([]byte, error) {
	var payload [maxControlPayload]byte
	p, err := AppendClosePayload(payload[:0], code, reason)
	if err != nil {
		return dst, err
	}
	return AppendFrame(dst, Header{FIN: true, Opcode: OpClose}, p), nil
}

// AppendClosePayload appends the payload of a close frame, for a client that
// has to mask it: at most 125 octets. Arguments and errors are AppendClose's.
func AppendClosePayload(dst []byte, code CloseCode, reason string) ([]byte, error) {
	if code == CloseNoStatus && reason == "" {
		return dst, nil
	}
	if !code.IsSendable() {
		return dst, ErrSendCloseCode
	}
	if len(reason) > MaxCloseReason || !utf8.ValidString(reason) {
		return dst, ErrSendCloseReason
	}
	dst = append(dst, byte(code>>8), byte(code))
	return append(dst, reason...), nil
}

// keyBatch is how many masking-keys one read of the source brings.
const keyBatch = 128

// Keys gives out masking-keys for a client's frames, fetched from a source in
// batches of 128 keys, 512 octets. The source must be cryptographic, such as
// crypto/rand.Reader: a key that the payload's author can predict defeats its
// purpose (RFC 6455 §5.3, §10.3). Not for use by several goroutines at once.
type Keys struct {
	source io.Reader
	left   int // unused keys at the end of batch
	batch  [keyBatch]mask.Key
	octets [4 * keyBatch]byte
}

// NewKeys returns Keys that reads from source.
func NewKeys(source io.Reader) *Keys { return &Keys{source: source} }

// Next returns the next masking-key. The error is the source's; no key is ever
// given out twice.
func (k *Keys) Next() (mask.Key, error) {
	if k.left == 0 {
		if _, err := io.ReadFull(k.source, k.octets[:]); err != nil {
			return mask.Key{}, err
		}
		for i := range k.batch {
			k.batch[i] = mask.Key(k.octets[4*i:])
		}
		k.left = keyBatch
	}
	k.left--
	return k.batch[k.left], nil
}

// A PreparedFrame is a message of one frame, encoded once and sent to many. It
// is never changed and may be shared by goroutines.
type PreparedFrame struct {
	opcode Opcode
	head   int // octets of the header
	frame  []byte
}

// NewPreparedFrame encodes a copy of payload as one unmasked frame. Text must be valid
// UTF-8; that is the caller's to see to. It panics
// if op is reserved or OpContinuation, OpClose, or a control opcode with more
// than 125 octets of payload.
func NewPreparedFrame(op Opcode, payload []byte) *PreparedFrame {
	if op.IsReserved() || op == OpContinuation || op == OpClose || op.IsControl() && len(payload) > maxControlPayload {
		panic("codec: NewPreparedFrame: opcode must be OpText, OpBinary, OpPing or OpPong, and a control payload at most 125 octets")
	}
	f := &PreparedFrame{opcode: op}
	f.frame = make([]byte, 0, MaxHeaderSize+len(payload))
	f.frame = AppendFrame(f.frame, Header{FIN: true, Opcode: op}, payload)
	f.head = len(f.frame) - len(payload)
	return f
}

// Opcode returns the frame's opcode.
func (f *PreparedFrame) Opcode() Opcode { return f.opcode }

// Frame returns the unmasked frame as a server sends it. It must not be changed.
func (f *PreparedFrame) Frame() []byte { return f.frame }

// Payload returns the payload. It must not be changed.
func (f *PreparedFrame) Payload() []byte { return f.frame[f.head:] }
