package codec_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/oracle"
)

// The mistakes that simple codecs make, each by its name.

// Length octets shifted in a variable of eight bits: 0x0102 becomes 2.
func TestMistakeLengthShiftedOutOfAnOctet(t *testing.T) {
	for _, head := range []string{"\x82\xfe\x01\x02\x00\x00\x00\x00", "\x82\xff\x00\x00\x00\x00\x00\x01\x01\x02\x00\x00\x00\x00"} {
		h, n, err := codec.ParseHeader([]byte(head))
		if err != nil || n != len(head) || h.PayloadLength&0xFFFF != 0x0102 || h.PayloadLength>>16 != int64(head[7])&1 {
			t.Errorf("% x: length %#x, %v", head, h.PayloadLength, err)
		}
	}
	if h, _, err := codec.ParseHeader([]byte("\x82\x7f\x01\x02\x03\x04\x05\x06\x07\x08")); err != nil || h.PayloadLength != 0x0102030405060708 {
		t.Errorf("length %#x, %v", h.PayloadLength, err)
	}
}

// The length read as a signed or a 32-bit integer: hazards 1 and 2.
func TestMistakeLengthNarrowed(t *testing.T) {
	// 2^32+1 octets announced; a 32-bit reader would take one octet and go on.
	c := codec.Config{Role: codec.Client}
	hold(t, c, "\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x01ab\x81\x01c", oracle.Result{Offset: 15,
		Events: []oracle.Event{{Opcode: codec.OpBinary, Payload: []byte("ab\x81\x01c"), First: true}}})
	c.MaxMessage = 1 << 31
	hold(t, c, "\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x01ab", oracle.Result{Offset: 5, Rule: codec.RuleMessageTooBig})
}

// The payload trimmed as if it were a line, or taken to end at a NUL.
func TestMistakePayloadTrimmed(t *testing.T) {
	for _, text := range []string{" x ", "\n", "x\n", "\r\n\r\n", "\t", "\x00", "x\x00y\x00", "\u00a0x\u00a0", "\ufeffx"} {
		var p codec.Parser
		wire := codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: codec.OpText, Masked: true, MaskingKey: [4]byte{1, 2, 3, 4}}, []byte(text))
		ev, n, err := p.Next(wire)
		if string(ev.Payload) != text || n != len(wire) || err != nil {
			t.Errorf("%q came as %q, %v", text, ev.Payload, err)
		}
	}
}

// One recv taken for one frame: what comes behind the first frame is lost, and
// a frame in two segments is refused.
func TestMistakeOneRecvIsOneFrame(t *testing.T) {
	one := "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
	in := []byte(strings.Repeat(one, 3) + "\x89\x80\x00\x00\x00\x00")
	var p codec.Parser
	var got []string
	for len(in) > 0 {
		ev, n, err := p.Next(in)
		if err != nil || n == 0 {
			t.Fatalf("%d, %v after %q", n, err, got)
		}
		got = append(got, ev.Opcode.String()+" "+string(ev.Payload))
		in = in[n:]
	}
	if s := strings.Join(got, ", "); s != "text Hello, text Hello, text Hello, ping " {
		t.Error(s)
	}
	hold(t, codec.Config{}, one, decode(codec.Config{}, one))
}

// The index into the masking-key starts anew at each chunk: hazard 8.
func TestMistakeMaskIndexRestartsAtEachChunk(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789"), 30)
	wire := codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: codec.OpBinary, Masked: true, MaskingKey: [4]byte{1, 2, 4, 8}}, payload)
	for step := 1; step < len(wire); step++ {
		var cuts []int
		for at := 0; at < len(wire); at += step {
			cuts = append(cuts, at)
		}
		got, err := oracle.Replay(codec.Config{}, wire, cuts...)
		if err != nil || len(got.Events) != 1 || !bytes.Equal(got.Events[0].Payload, payload) {
			t.Fatalf("chunks of %d: %v, %.100v", step, err, got.Events)
		}
	}
}

// And it does start anew at each fragment, with that frame's own key (§5.3).
func TestMistakeMaskIndexCarriedIntoTheNextFragment(t *testing.T) {
	var wire []byte
	wire = codec.AppendFrame(wire, codec.Header{Opcode: codec.OpText, Masked: true, MaskingKey: [4]byte{1, 2, 4, 8}}, []byte("abc"))
	wire = codec.AppendFrame(wire, codec.Header{FIN: true, Opcode: codec.OpPing, Masked: true, MaskingKey: [4]byte{9, 9, 9, 7}}, []byte("x"))
	wire = codec.AppendFrame(wire, codec.Header{FIN: true, Masked: true, MaskingKey: [4]byte{16, 32, 64, 1}}, []byte("defgh"))
	got, err := oracle.Replay(codec.Config{}, wire)
	if s := oracle.Strings(got.Events); err != nil || s != `text["abc"… ping["x"] text…"defgh"]` {
		t.Error(s, err)
	}
}

// Control frames treated as part of the message they come between (§5.4, §5.5).
func TestMistakePingEndsTheMessage(t *testing.T) {
	c := codec.Config{Role: codec.Client}
	wire := "\x01\x01a\x89\x00\x00\x01b\x8a\x00\x80\x01c\x81\x01d"
	got, err := oracle.Replay(c, []byte(wire))
	if s := oracle.Strings(got.Events); err != nil || s != `text["a"… ping[""] text…"b"… pong[""] text…"c"] text["d"]` {
		t.Error(s, err)
	}
	hold(t, c, wire, got)
}

// Text checked frame by frame, so that honest fragments are refused (§5.6: a frame
// of text need not be UTF-8 by itself).
func TestMistakeEachFragmentMustBeUTF8(t *testing.T) {
	text := "aó€😀z"
	for i := range len(text) + 1 {
		for j := i; j <= len(text); j++ {
			wire := codec.AppendFrame(nil, codec.Header{Opcode: codec.OpText}, []byte(text[:i]))
			wire = codec.AppendFrame(wire, codec.Header{}, []byte(text[i:j]))
			// The last fragment is long enough for whatever is open: see the
			// table for those that are not.
			wire = codec.AppendFrame(wire, codec.Header{FIN: true}, []byte(text[j:]))
			hold(t, codec.Config{Role: codec.Client}, string(wire), oracle.Result{Offset: int64(len(wire)),
				Events: []oracle.Event{{Opcode: codec.OpText, Payload: []byte(text), First: true, Last: true}}})
		}
	}
}
