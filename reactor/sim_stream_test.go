//go:build linux

package reactor

// What the simulated peers send. A stream is drawn from its number, and what it
// means is said by package oracle, which shares no code with the codec. As that
// takes its time, most seeds use streams of a small stock that is kept.

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/oracle"
)

// A simFrame is a frame that lies whole before the first violation.
type simFrame struct {
	start, end int
	op         codec.Opcode
	fin        bool
	payload    []byte // of a ping or a close frame
}

// A simMessage is what a handler is to be given: of a message that is not whole,
// what is right of it.
type simMessage struct {
	op      codec.Opcode
	payload []byte
	end     int // offset behind its last octet; -1 if that is not in the stream
}

// A simStream is what a peer sends behind the opening handshake.
type simStream struct {
	wire     []byte
	frames   []simFrame
	messages []simMessage
	rule     codec.Rule
	ruleAt   int // the octet that shows it; without a breach, len(wire)
}

// simLimits are the limits on messages that a seed draws from.
var simLimits = []struct {
	message   int64
	fragments int
}{{20, 3}, {125, 5}, {126, 4}, {300, 5}, {1000, 100}, {5000, 9}, {70000, 5}}

const (
	simLargeLimit = 6   // the one with messages that are sent from where they are
	simNumbers    = 100 // of streams for each limit and role that are kept
)

type simStreamKey struct {
	role   codec.Role // of the loop's end
	limit  int
	number int
}

var simStreams sync.Map // simStreamKey to *simStream

func streamOf(key simStreamKey) *simStream {
	if known, ok := simStreams.Load(key); ok {
		return known.(*simStream)
	}
	b := streamBuilder{
		rng: rand.New(rand.NewPCG(uint64(key.number), uint64(key.limit)<<8|uint64(key.role))),
		key: key, most: int(simLimits[key.limit].message), fragments: simLimits[key.limit].fragments,
	}
	made := b.build()
	if key.number < simNumbers {
		simStreams.Store(key, made)
	}
	return made
}

type streamBuilder struct {
	rng             *rand.Rand
	key             simStreamKey
	most, fragments int
	wire            []byte
	pings           int
}

func (b *streamBuilder) build() *simStream {
	items := 1 + b.rng.IntN(8)
	if b.key.limit == simLargeLimit {
		items = 1 + b.rng.IntN(3)
	}
	for range items {
		b.item()
	}
	switch b.rng.IntN(5) {
	case 0:
		b.violation()
	case 1, 2:
		b.close()
	}
	limits := simLimits[b.key.limit]
	meaning := oracle.Decode(b.key.role, limits.message, limits.fragments, b.wire)
	st := &simStream{wire: b.wire, rule: meaning.Rule, ruleAt: len(b.wire)}
	if st.rule != 0 {
		st.ruleAt = int(meaning.Offset)
	}
	st.cut()
	st.gather(meaning.Events)
	return st
}

// item appends messages or control frames.
func (b *streamBuilder) item() {
	switch b.rng.IntN(10) {
	case 0, 1:
		b.ping()
	case 2:
		b.frame(0x8A, b.octets(b.rng.IntN(10)))
	case 3, 4, 5:
		b.fragmented()
	default:
		op, payload := b.message(b.size())
		b.frame(0x80|op, payload)
	}
}

// size draws a message's length, those at the bounds of the three forms often.
func (b *streamBuilder) size() int {
	if b.key.limit == simLargeLimit && b.rng.IntN(2) == 0 {
		return directSize + b.rng.IntN(b.most-directSize)
	}
	switch b.rng.IntN(6) {
	case 0:
		return 0
	case 1:
		return min(124+b.rng.IntN(4), b.most)
	case 2:
		return b.most
	default:
		return b.rng.IntN(min(b.most, 400) + 1)
	}
}

func (b *streamBuilder) message(size int) (op byte, payload []byte) {
	if b.rng.IntN(2) == 0 || size > 6000 { // the oracle takes its time over text
		return 2, b.octets(size)
	}
	var text []byte
	for len(text) < size {
		r := [...]string{"a", "é", "€", "😀"}[b.rng.IntN(4)]
		if len(text)+len(r) > size {
			r = "z"
		}
		text = append(text, r...)
	}
	return 1, text
}

func (b *streamBuilder) octets(n int) []byte {
	octets := make([]byte, n)
	for i := 0; i < n; i += 8 {
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], b.rng.Uint64())
		copy(octets[i:], word[:])
	}
	return octets
}

func (b *streamBuilder) fragmented() {
	op, payload := b.message(b.size())
	n := 1 + b.rng.IntN(min(b.fragments, 5))
	for i := range n {
		piece := payload
		if i < n-1 {
			piece = payload[:b.rng.IntN(len(payload)+1)]
		}
		payload = payload[len(piece):]
		first := byte(0)
		if i == 0 {
			first = op
		}
		if i == n-1 {
			first |= 0x80
		}
		b.frame(first, piece)
		if i < n-1 && b.rng.IntN(3) == 0 {
			b.ping()
		}
	}
}

// ping appends a ping that can be told from all others, or a few of them.
func (b *streamBuilder) ping() {
	for range 1 + b.rng.IntN(3)*b.rng.IntN(2) {
		b.pings++
		payload := append([]byte{byte(b.pings), byte(b.pings >> 8), 'P'}, b.octets(b.rng.IntN(20))...)
		if b.rng.IntN(8) == 0 {
			payload = append(payload, b.octets(125-len(payload))...)
		}
		b.frame(0x89, payload)
	}
}

func (b *streamBuilder) close() {
	payload := []byte{}
	if b.rng.IntN(4) > 0 {
		code := [...]int{1000, 1001, 1003, 1011, 1014, 3000, 4999}[b.rng.IntN(7)]
		payload = append(payload, byte(code>>8), byte(code))
		payload = append(payload, "so long é"[:9-9*b.rng.IntN(2)]...)
	}
	b.frame(0x88, payload)
	if b.rng.IntN(2) == 0 { // to be ignored
		b.wire = append(b.wire, b.octets(b.rng.IntN(50))...)
	}
}

// violation appends a breach of a rule: one of the oracle's tables, or of this
// seed's limits.
func (b *streamBuilder) violation() {
	cases := oracleCases[b.key.role]
	if b.rng.IntN(5) == 0 {
		b.wire = append(b.wire, b.header(0x82, b.most+1)...)
	} else {
		b.wire = append(b.wire, cases[b.rng.IntN(len(cases))].Wire...)
	}
	b.wire = append(b.wire, b.octets(b.rng.IntN(30))...)
}

// oracleCases are the streams of the oracle's tables that say something without
// limits of their own, by role.
var oracleCases = func() (by [2][]oracle.Case) {
	for _, c := range oracle.Cases() {
		if c.MaxMessage == 0 && c.MaxFragments == 0 && len(c.Wire) < 400 {
			by[c.Role] = append(by[c.Role], c)
		}
	}
	return by
}()

// header returns a frame's octets up to the payload; masked frames get their key
// by frame.
func (b *streamBuilder) header(first byte, n int) []byte {
	head := header(first, n)
	if b.key.role == codec.Server {
		head[1] |= 0x80
		head = append(head, b.octets(4)...)
	}
	return head
}

func (b *streamBuilder) frame(first byte, payload []byte) {
	head := b.header(first, len(payload))
	b.wire = append(b.wire, head...)
	from := len(b.wire)
	b.wire = append(b.wire, payload...)
	if b.key.role == codec.Server {
		unmask(b.wire[from:], head[len(head)-4:], 0)
	}
}

// unmask is masking as RFC 6455 §5.3 has it, an octet at a time.
func unmask(b, key []byte, at int) {
	for i := range b {
		b[i] ^= key[(at+i)%4]
	}
}

// cut finds the frames before the first violation.
func (st *simStream) cut() {
	for at := 0; ; {
		f, ok := frameAt(st.wire, at)
		if !ok || f.end > st.ruleAt {
			return
		}
		st.frames = append(st.frames, f)
		if at = f.end; f.op == codec.OpClose {
			return
		}
	}
}

// frameAt reads the frame at an offset, as far as that is whole.
func frameAt(wire []byte, at int) (f simFrame, ok bool) {
	b := wire[at:]
	if len(b) < 2 {
		return f, false
	}
	size, head := int(b[1]&0x7F), 2
	switch {
	case size == 126 && len(b) >= 4:
		size, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case size == 127 && len(b) >= 10:
		long := binary.BigEndian.Uint64(b[2:])
		if long > uint64(len(b)) {
			return f, false
		}
		size, head = int(long), 10
	case size >= 126:
		return f, false
	}
	var key []byte
	if b[1]&0x80 != 0 {
		if len(b) < head+4 {
			return f, false
		}
		key = b[head : head+4]
		head += 4
	}
	if head+size > len(b) {
		return f, false
	}
	f = simFrame{start: at, end: at + head + size, op: codec.Opcode(b[0] & 0xF), fin: b[0]&0x80 != 0}
	if f.op.IsControl() {
		f.payload = append([]byte{}, b[head:head+size]...)
		if key != nil {
			unmask(f.payload, key, 0)
		}
	}
	return f, true
}

// gather joins the oracle's events into messages, and finds where those end.
func (st *simStream) gather(events []oracle.Event) {
	for _, e := range events {
		if e.Opcode.IsControl() {
			continue
		}
		if e.First {
			st.messages = append(st.messages, simMessage{op: e.Opcode, end: -1})
		}
		m := &st.messages[len(st.messages)-1]
		m.payload = append(m.payload, e.Payload...)
	}
	at := 0
	for _, f := range st.frames {
		if f.fin && !f.op.IsControl() {
			st.messages[at].end = f.end
			at++
		}
	}
}

// A simHead is the head of a request, and how it is refused, if it is.
type simHead struct {
	octets  string
	refusal *handshake.Refusal
}

var simHeads = []simHead{
	{request(), nil},
	{request("Origin: http://server.example.com"), nil},
	{request("Cookie: " + letters(300)), nil},
	{request("Sec-WebSocket-Protocol: chat"), nil},
	{request("Origin: http://elsewhere.example.com"), handshake.ErrOrigin},
	{request("Host: server.example.com"), handshake.ErrHostTwice},
	{request("Content-Length: 5"), handshake.ErrBody},
	{request(" folded"), handshake.ErrFolding},
	{request("X: a\nY: b"), handshake.ErrBareLF},
	{"POST" + request()[3:], handshake.ErrMethod},
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", handshake.ErrPlainRequest},
	{"GET / HTTP/1.0\r\n", handshake.ErrHTTPVersion},
	{"\x16\x03\x01 not HTTP\r\n", handshake.ErrControl},
	{request("Cookie: " + letters(2000)), handshake.ErrHeadTooLarge},
}

const simMaxHead = 1024

// simRefused is what a peer gets with a refusal.
var simRefused = func() map[string]*handshake.Refusal {
	all := map[string]*handshake.Refusal{}
	for _, h := range simHeads {
		if h.refusal != nil {
			all[refused(h.refusal)] = h.refusal
		}
	}
	for _, r := range []*handshake.Refusal{handshake.ErrTooSlow, handshake.ErrTooManyConns, handshake.ErrShuttingDown, handshake.ErrInternal, simOwnRefusal} {
		all[refused(r)] = r
	}
	return all
}()

// simOwnRefusal is a handler's.
var simOwnRefusal = handshake.Refuse(404, "not here")
