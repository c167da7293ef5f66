// Package oracle decodes WebSocket streams as RFC 6455 reads: one octet at a
// time, slowly, with every check beside its section. It shares no code with the
// codec, only the names of its rules and opcodes, so that tests and fuzz
// targets can hold the codec against it. For tests only.
package oracle

import (
	"fmt"
	"unicode/utf8"

	"github.com/hybi-go/hybi/codec"
)

// An Event is a control frame or a run of a message's payload, in the one form
// that does not depend on how the stream was cut: neighbouring pieces of one
// message are joined, and only a control frame between them keeps them apart.
type Event struct {
	Opcode      codec.Opcode
	Payload     []byte
	First, Last bool // the run begins, ends its message
}

// String writes e as text["Hello"]; a side that is open is … instead of a bracket.
func (e Event) String() string {
	left, right := "…", "…"
	if e.First {
		left = "["
	}
	if e.Last {
		right = "]"
	}
	return fmt.Sprintf("%v%s%q%s", e.Opcode, left, e.Payload, right)
}

// A Result is what a stream means to an endpoint.
type Result struct {
	Events []Event
	Rule   codec.Rule // the rule that is broken, or 0
	Offset int64      // of the octet that shows it; without a breach, the octets understood
}

// The numbers of RFC 6455 §5.2 and §5.5.
const (
	continuation = 0x0
	text         = 0x1
	binary       = 0x2
	closing      = 0x8
	ping         = 0x9
	pong         = 0xA
)

// A decoder reads one stream. A method that reads an octet and finds the
// stream at its end, or a rule broken, panics with stop: Decode recovers.
type decoder struct {
	client       bool
	maxMessage   uint64
	maxFragments int

	stream []byte
	at     int // the next octet
	taken  int // up to here the stream is understood
	Result

	// The message being read, if open.
	open      bool
	opcode    byte
	announced uint64
	fragments int
	pending   []byte // text: the octets since the last boundary of a code point
}

type stop struct{}

// Decode decodes the whole of stream as an endpoint of that role receives it.
// Limits of 0 are none.
func Decode(role codec.Role, maxMessage int64, maxFragments int, stream []byte) Result {
	d := &decoder{client: role == codec.Client, maxMessage: 1<<63 - 1, maxFragments: maxFragments, stream: stream}
	if maxMessage > 0 {
		d.maxMessage = uint64(maxMessage)
	}
	d.run()
	d.Offset = int64(d.taken)
	return d.Result
}

func (d *decoder) run() {
	defer func() {
		if r := recover(); r != nil && r != (stop{}) {
			panic(r)
		}
	}()
	for {
		d.frame()
	}
}

// octet reads the next octet, or ends the decoding.
func (d *decoder) octet() byte {
	if d.at == len(d.stream) {
		panic(stop{})
	}
	d.at++
	return d.stream[d.at-1]
}

// must ends the decoding at the octet read last, unless ok.
func (d *decoder) must(ok bool, rule codec.Rule) {
	if !ok {
		d.Rule = rule
		d.taken = d.at - 1
		panic(stop{})
	}
}

// frame reads one frame.
func (d *decoder) frame() {
	first := d.octet()
	fin, opcode := first&0x80 != 0, first&0x0F
	control := opcode >= 0x8
	// §5.2: RSV "MUST be 0 unless an extension is negotiated".
	d.must(first&0x70 == 0, codec.RuleReservedBits)
	// §5.2: "If an unknown opcode is received, the receiving endpoint MUST Fail".
	d.must(opcode <= binary || control && opcode <= pong, codec.RuleReservedOpcode)
	// §5.5: control frames "MUST NOT be fragmented".
	d.must(!control || fin, codec.RuleFragmentedControl)
	// §5.4: a continuation continues; between a message's frames stands no other.
	d.must(opcode != continuation || d.open, codec.RuleLoneContinuation)
	d.must(opcode != text && opcode != binary || !d.open, codec.RuleInterruptedMessage)
	// §10.4: a limit of the implementation's.
	d.must(opcode != continuation || d.maxFragments == 0 || d.fragments < d.maxFragments, codec.RuleTooManyFragments)

	second := d.octet()
	masked, short := second&0x80 != 0, second&0x7F
	// §5.1: a client masks all frames, a server none.
	d.must(masked || d.client, codec.RuleUnmasked)
	d.must(!masked || !d.client, codec.RuleMasked)
	// §5.5: control frames "MUST have a payload length of 125 bytes or less".
	d.must(!control || short <= 125, codec.RuleControlTooLong)
	// §5.5.1: a body's first two octets are the code: one octet is no body.
	d.must(opcode != closing || short != 1, codec.RuleClosePayload)

	if opcode == text || opcode == binary {
		d.opcode, d.announced, d.fragments, d.pending = opcode, 0, 0, nil
	}
	length := d.length(short, control)
	// §8.1, §5.4: the last frame must have the octets that the text still lacks.
	if opcode == continuation && fin && d.opcode == text && short <= 125 {
		d.must(!hopeless(d.pending, length), codec.RuleTextUTF8)
	}
	var key [4]byte
	if masked {
		for i := range key {
			key[i] = d.octet()
		}
	}
	if control {
		d.control(opcode, length, key)
		return
	}
	d.fragments++
	d.announced += length
	d.data(opcode != continuation, fin, length, key)
}

// length reads the payload length (§5.2), which is judged by the least and the
// most that it can still become.
func (d *decoder) length(short byte, control bool) uint64 {
	left := d.maxMessage
	if !control {
		left -= d.announced
	}
	size, least := 0, uint64(0)
	switch short {
	case 126:
		size, least = 2, 126
	case 127:
		size, least = 8, 65536
	default:
		// §10.4: a limit of the implementation's, on messages only.
		d.must(control || uint64(short) <= left, codec.RuleMessageTooBig)
		return uint64(short)
	}
	var octets []byte
	for len(octets) < size {
		octets = append(octets, d.octet())
		low, high := uint64(0), uint64(0)
		for i := range size {
			low, high = low<<8, high<<8|0xFF
			if i < len(octets) {
				low, high = low|uint64(octets[i]), high&^0xFF|uint64(octets[i])
			}
		}
		// §5.2: "the most significant bit MUST be 0".
		d.must(low < 1<<63, codec.RuleLengthTopBit)
		// §5.2: "the minimal number of bytes MUST be used to encode the length".
		d.must(high >= least, codec.RuleNonMinimalLength)
		d.must(low <= left, codec.RuleMessageTooBig)
		if len(octets) == size {
			return low
		}
	}
	panic("unreachable")
}

// control reads a control frame's payload: it counts only when it is whole.
func (d *decoder) control(opcode byte, length uint64, key [4]byte) {
	payload := []byte{}
	for i := range length {
		payload = append(payload, d.octet()^key[i%4])
		if opcode == closing {
			d.closing(payload, length)
		}
	}
	d.taken = d.at
	d.Events = append(d.Events, Event{codec.Opcode(opcode), payload, true, true})
	if opcode == closing {
		// §5.5.1, §1.4: after a close frame any further data is discarded.
		d.taken = len(d.stream)
		panic(stop{})
	}
}

// closing judges what has come of a close frame's payload (§5.5.1).
func (d *decoder) closing(payload []byte, length uint64) {
	if len(payload) <= 2 {
		// §7.4: is there a legal code that begins so?
		legal := false
		for code := range 5000 {
			if legalCode(code) && byte(code>>8) == payload[0] && (len(payload) < 2 || byte(code) == payload[1]) {
				legal = true
			}
		}
		d.must(legal, codec.RuleCloseCode)
		return
	}
	// §5.5.1: the reason is UTF-8. What stands before the last octet was judged
	// when that octet came, so only the sequence that is open now matters.
	reason := payload[2:]
	start := 0
	for start < len(reason) {
		_, size := utf8.DecodeRune(reason[start:])
		if !utf8.Valid(reason[start : start+size]) {
			break
		}
		start += size
	}
	d.must(!hopeless(reason[start:], length-uint64(len(payload))), codec.RuleCloseReasonUTF8)
}

// legalCode reports whether a code may stand in a close frame (§7.4.1, §7.4.2, and
// the registry of §11.7 for 1012-1014).
func legalCode(code int) bool {
	switch {
	case code < 1000:
		return false // "not used"
	case code < 3000:
		switch code {
		case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
			return true
		}
		return false // 1004 reserved, 1005, 1006, 1015 never on the wire, others not defined
	default:
		return code < 5000
	}
}

// data reads a data frame's payload, octet by octet.
func (d *decoder) data(first, fin bool, length uint64, key [4]byte) {
	d.open = true
	d.piece(first, nil)
	for i := range length {
		octet := d.octet() ^ key[i%4]
		if d.opcode == text {
			room := uint64(1<<63 - 1) // of a frame without FIN: others may follow
			if fin {
				room = length - i - 1
			}
			d.pending = append(d.pending, octet)
			d.must(!hopeless(d.pending, room), codec.RuleTextUTF8)
			if utf8.Valid(d.pending) {
				d.pending = nil
			}
		}
		d.piece(false, []byte{octet})
	}
	if fin {
		d.Events[len(d.Events)-1].Last = true
		d.open = false
	}
}

// piece adds octets to the run of payload that is the last event, or begins one.
func (d *decoder) piece(first bool, octets []byte) {
	d.taken = d.at
	d.Events = Join(d.Events, Event{codec.Opcode(d.opcode), octets, first, false})
}

// Join appends e to events in the form that Event describes.
func Join(events []Event, e Event) []Event {
	if n := len(events); n > 0 && !e.First && !events[n-1].Last {
		last := &events[n-1]
		last.Payload = append(last.Payload, e.Payload...)
		last.Last = e.Last
		return events
	}
	e.Payload = append([]byte{}, e.Payload...)
	return append(events, e)
}

// hopeless reports whether no way to go on, by room octets exactly, makes tail
// UTF-8. tail begins at the boundary of a code point. It tries all of them:
// in each range of RFC 3629 §4 lies one of the octets tried, and octets that
// are not needed can be ASCII.
func hopeless(tail []byte, room uint64) bool {
	if utf8.Valid(tail) {
		return false
	}
	if room == 0 || len(tail) >= utf8.UTFMax {
		return true
	}
	for _, octet := range []byte{0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF} {
		if !hopeless(append(tail[:len(tail):len(tail)], octet), room-1) {
			return false
		}
	}
	return true
}
