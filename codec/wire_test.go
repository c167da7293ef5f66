package codec_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/oracle"
	"github.com/hybi-go/hybi/mask"
)

// hold plays a stream to the parser in every way that it can be cut — whole,
// octet by octet, every cut in two of a short one, random cuts of a long one —
// and holds each to want.
func hold(t *testing.T, c codec.Config, wire string, want oracle.Result) {
	t.Helper()
	stream := []byte(wire)
	check := func(how string, cuts ...int) {
		t.Helper()
		got, err := oracle.Replay(c, stream, cuts...)
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if diff := oracle.Diff(got, want); diff != "" {
			t.Fatalf("%s: %s\nwire % .100x", how, diff, wire)
		}
	}
	check("whole")
	each := make([]int, len(stream))
	for i := range each {
		each[i] = i
	}
	check("octet by octet", each...)
	if len(stream) <= 300 {
		for cut := range each {
			check(fmt.Sprintf("cut at %d", cut), cut)
		}
		return
	}
	for seed := range uint64(20) {
		var cuts []int
		rng := rand.New(rand.NewPCG(seed, 0))
		for at := 0; at < len(stream); at += 1 + rng.IntN(1<<(1+seed%16)) {
			cuts = append(cuts, at)
		}
		check(fmt.Sprintf("random cuts, seed %d", seed), cuts...)
	}
}

// decode is what the oracle says.
func decode(c codec.Config, wire string) oracle.Result {
	return oracle.Decode(c.Role, c.MaxMessage, c.MaxFragments, []byte(wire))
}

// TestWire plays the table. The table itself, with all wire bytes, is in
// internal/oracle/wire.go, where the fuzz targets and the connection layer find it too.
// Hazards 5, 6, 7 and 8.
func TestWire(t *testing.T) {
	for _, c := range oracle.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			got, err := oracle.Replay(c.Config(), []byte(c.Wire))
			if err != nil {
				t.Fatal(err)
			}
			if got.Rule != c.Rule || got.Offset != int64(c.At) {
				t.Errorf("%v at %d, want %v at %d", got.Rule, got.Offset, c.Rule, c.At)
			}
			if events := oracle.Strings(got.Events); events != c.Want {
				t.Errorf("events %.300s\nwant   %.300s", events, c.Want)
			}
			hold(t, c.Config(), c.Wire, decode(c.Config(), c.Wire))
		})
	}
}

// The close codes that the errors carry, by the design's table of the wire.
func TestErrorsCarryTheirCloseCode(t *testing.T) {
	all := []struct {
		err  *codec.ProtocolError
		rule codec.Rule
		code codec.CloseCode
		name string
	}{
		{codec.ErrReservedBits, codec.RuleReservedBits, 1002, "reserved-bits"},
		{codec.ErrReservedOpcode, codec.RuleReservedOpcode, 1002, "reserved-opcode"},
		{codec.ErrFragmentedControl, codec.RuleFragmentedControl, 1002, "fragmented-control"},
		{codec.ErrLoneContinuation, codec.RuleLoneContinuation, 1002, "lone-continuation"},
		{codec.ErrInterruptedMessage, codec.RuleInterruptedMessage, 1002, "interrupted-message"},
		{codec.ErrTooManyFragments, codec.RuleTooManyFragments, 1009, "too-many-fragments"},
		{codec.ErrUnmasked, codec.RuleUnmasked, 1002, "unmasked"},
		{codec.ErrMasked, codec.RuleMasked, 1002, "masked"},
		{codec.ErrControlTooLong, codec.RuleControlTooLong, 1002, "control-too-long"},
		{codec.ErrClosePayload, codec.RuleClosePayload, 1002, "close-payload"},
		{codec.ErrNonMinimalLength, codec.RuleNonMinimalLength, 1002, "non-minimal-length"},
		{codec.ErrLengthTopBit, codec.RuleLengthTopBit, 1002, "length-top-bit"},
		{codec.ErrMessageTooBig, codec.RuleMessageTooBig, 1009, "message-too-big"},
		{codec.ErrCloseCode, codec.RuleCloseCode, 1002, "close-code"},
		{codec.ErrCloseReasonUTF8, codec.RuleCloseReasonUTF8, 1007, "close-reason-utf8"},
		{codec.ErrTextUTF8, codec.RuleTextUTF8, 1007, "text-utf8"},
	}
	if len(all) != codec.NumRules-1 {
		t.Fatalf("%d errors for %d rules", len(all), codec.NumRules-1)
	}
	for i, e := range all {
		if e.err.Rule != e.rule || e.err.Code != e.code || e.rule != codec.Rule(i+1) {
			t.Errorf("%v: rule %v, code %d", e.err, e.err.Rule, e.err.Code)
		}
		if e.rule.String() != e.name {
			t.Errorf("rule %d: %v, want %s", i+1, e.rule, e.name)
		}
		if text := e.err.Error(); !strings.HasPrefix(text, "hybi: ") || !strings.Contains(text, "(RFC 6455 §") {
			t.Errorf("%v: %q does not name the RFC's section", e.rule, text)
		}
	}
	// And they are what the parser returns.
	for _, c := range oracle.Cases() {
		if c.Rule == 0 {
			continue
		}
		var p codec.Parser
		p.Reset(c.Config())
		in, err := []byte(c.Wire), error(nil)
		for ev, n := (codec.Event{Opcode: 1}), 0; err == nil && ev.Opcode != 0; in = in[n:] {
			ev, n, err = p.Next(in)
		}
		if err != error(all[c.Rule-1].err) {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	if codec.Rule(0).String() != "none" || codec.Rule(codec.NumRules).String() != "unknown" {
		t.Error("names of what is no rule")
	}
}

// One role writes, the other reads; every form of the length and its bounds
// (RFC 6455 §5.2). Hazard 5.
func TestLengths(t *testing.T) {
	heads := map[int]string{0: "\x00", 1: "\x01", 125: "\x7d", 126: "\x7e\x00\x7e", 127: "\x7e\x00\x7f", 65535: "\x7e\xff\xff",
		65536: "\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 1 << 20: "\x7f\x00\x00\x00\x00\x00\x10\x00\x00"}
	for size, head := range heads {
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = byte('a' + i%23)
		}
		for _, op := range []codec.Opcode{codec.OpText, codec.OpBinary} {
			for _, role := range []codec.Role{codec.Server, codec.Client} {
				h := codec.Header{FIN: true, Opcode: op, Masked: role == codec.Server, MaskingKey: mask.Key{0x37, 0xfa, 0x21, 0x3d}}
				wire := codec.AppendFrame(nil, h, payload)
				want := string([]byte{0x80 | byte(op)}) + head
				if h.Masked {
					want = want[:1] + string([]byte{want[1] | 0x80}) + want[2:] + "\x37\xfa\x21\x3d"
				}
				if !bytes.HasPrefix(wire, []byte(want)) || len(wire) != len(want)+size {
					t.Fatalf("%d octets to a %v: header % x, want % x", size, role, wire[:min(14, len(wire))], want)
				}
				c := codec.Config{Role: role}
				result := oracle.Result{Offset: int64(len(wire)), Events: []oracle.Event{{Opcode: op, Payload: payload, First: true, Last: true}}}
				if size <= 65536 {
					hold(t, c, string(wire), result)
				} else if got, err := oracle.Replay(c, wire, 5, 14, 15, 70000, 70001); err != nil || oracle.Diff(got, result) != "" {
					t.Fatalf("%d octets to a %v: %v %s", size, role, err, oracle.Diff(got, result))
				}
				holdOneCall(t, c, wire, payload)
			}
		}
	}
}

// holdOneCall checks the frozen promise: a data frame that lies whole in the
// input is one call and one event, whatever comes behind it.
func holdOneCall(t *testing.T, c codec.Config, wire, payload []byte) {
	t.Helper()
	var p codec.Parser
	p.Reset(c)
	in := append(bytes.Clone(wire), wire...)
	ev, n, err := p.Next(in)
	if err != nil || n != len(wire) || !ev.First || !ev.Last || !bytes.Equal(ev.Payload, payload) {
		t.Fatalf("first call: %d of %d octets, First %v, Last %v, %v", n, len(wire), ev.First, ev.Last, err)
	}
	if p.InMessage() {
		t.Fatal("InMessage after a whole message")
	}
}

// Every close code, both roles (RFC 6455 §7.4; the design's table of the wire).
// Hazard 10.
func TestEveryCloseCode(t *testing.T) {
	for code := range 1 << 16 {
		want := code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
		if got := codec.CloseCode(code).IsSendable(); got != want {
			t.Fatalf("IsSendable(%d) = %v", code, got)
		}
		in := []byte{0x88, 0x03, byte(code >> 8), byte(code), '!'}
		var p codec.Parser
		p.Reset(codec.Config{Role: codec.Client})
		ev, n, err := p.Next(in)
		if want != (err == nil) || err != nil && err != error(codec.ErrCloseCode) {
			t.Fatalf("close %d: %v", code, err)
		}
		if err == nil {
			if got, reason := codec.ParseClose(ev.Payload); int(got) != code || string(reason) != "!" || n != 5 {
				t.Fatalf("close %d: event %+v, %d octets", code, ev, n)
			}
			continue
		}
		// At the first octet, if no sendable code begins with it.
		at := 3
		if hi := code >> 8; hi != 1000>>8 && (hi < 3000>>8 || hi > 4999>>8) {
			at = 2
		}
		if n != at || p.InputOffset() != int64(at) {
			t.Fatalf("close %d: refused at %d, want %d", code, n, at)
		}
	}
	for _, code := range []int{0, 999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535} {
		for _, c := range []struct {
			role codec.Role
			head string
		}{{codec.Client, "\x88\x02"}, {codec.Server, "\x88\x82\x00\x00\x00\x00"}} {
			config := codec.Config{Role: c.role}
			wire := c.head + string([]byte{byte(code >> 8), byte(code)})
			hold(t, config, wire, decode(config, wire))
		}
	}
}

// Text and close reasons, with a fault of each kind at every place of a longer
// text, at every cut: the whole, eight and sixteen octets of the fast paths, and
// the fragments' bounds. Hazard 11.
func TestTextFaultsEverywhere(t *testing.T) {
	faults := []string{"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xe2b", "\xf0\x9fb", "ó", "€", "😀"}
	for _, fault := range faults {
		for at := range 40 {
			for _, behind := range []int{0, 1, 2, 3, 17} {
				text := strings.Repeat("x", at) + fault + strings.Repeat("y", behind)
				holdText(t, text)
			}
		}
	}
}

// holdText plays text as one frame, cut into two fragments, and as a reason.
func holdText(t *testing.T, text string) {
	t.Helper()
	client, server := codec.Config{Role: codec.Client}, codec.Config{}
	one := codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: codec.OpText}, []byte(text))
	reason := codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: codec.OpClose}, []byte("\x03\xe8"+text))
	key := mask.Key{9, 8, 7, 6}
	masked := codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: codec.OpText, Masked: true, MaskingKey: key}, []byte(text))
	wires := []struct {
		codec.Config
		wire []byte
	}{{client, one}, {client, reason}, {server, masked}}
	for i := max(0, len(text)-6); i <= len(text); i++ {
		two := codec.AppendFrame(nil, codec.Header{Opcode: codec.OpText}, []byte(text[:i]))
		two = codec.AppendFrame(two, codec.Header{FIN: true, Opcode: codec.OpContinuation}, []byte(text[i:]))
		wires = append(wires, struct {
			codec.Config
			wire []byte
		}{client, two})
	}
	for _, w := range wires {
		want := decode(w.Config, string(w.wire))
		step := 1 + len(w.wire)/7
		for cut := 0; cut < len(w.wire)+step; cut += step {
			got, err := oracle.Replay(w.Config, w.wire, min(cut, len(w.wire)), min(cut+1, len(w.wire)))
			if diff := oracle.Diff(got, want); err != nil || diff != "" {
				t.Fatalf("% x cut at %d: %s %v", w.wire, cut, diff, err)
			}
		}
	}
}

// Random streams of well-formed and broken frames, with random limits and cuts.
func TestRandomStreams(t *testing.T) {
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := codec.Config{Role: codec.Role(rng.IntN(2))}
		if rng.IntN(2) == 0 {
			c.MaxMessage = int64(1 + rng.IntN(200))
		}
		if rng.IntN(2) == 0 {
			c.MaxFragments = 1 + rng.IntN(4)
		}
		wire := randomStream(rng, c.Role)
		want := decode(c, string(wire))
		for range 4 {
			var cuts []int
			for at := rng.IntN(9); at < len(wire); at += rng.IntN(1 + rng.IntN(64)) {
				cuts = append(cuts, at)
			}
			got, err := oracle.Replay(c, wire, cuts...)
			if diff := oracle.Diff(got, want); err != nil || diff != "" {
				t.Fatalf("seed %d: %s %v\nwire % .300x\ncuts %v", seed, diff, err, wire, cuts)
			}
		}
	}
}

// randomStream returns frames as they could follow on each other, and at
// times an octet that does not fit.
func randomStream(rng *rand.Rand, role codec.Role) []byte {
	words := []string{"", "a", "ó", "€", "😀", "\xe2", "\x82", "\xac", "\xf0\x9f", "\x98\x80", strings.Repeat("x", 130), "\x03\xe8", "\x03\xe8é"}
	var wire []byte
	open := false
	for range 1 + rng.IntN(8) {
		h := codec.Header{Masked: role == codec.Server, FIN: rng.IntN(2) == 0}
		switch rng.IntN(8) {
		case 0, 1:
			h.FIN, h.Opcode = true, codec.OpPing
		case 2:
			h.FIN, h.Opcode = true, codec.Opcode(8+rng.IntN(3))
		default:
			h.Opcode = codec.OpContinuation
			if !open {
				h.Opcode = codec.OpText - codec.Opcode(rng.IntN(2)) + 1
			}
			open = !h.FIN
		}
		if h.Masked {
			h.MaskingKey = mask.Key{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}
		}
		wire = codec.AppendFrame(wire, h, []byte(words[rng.IntN(len(words))]+words[rng.IntN(len(words))]))
	}
	if rng.IntN(3) == 0 {
		wire[rng.IntN(len(wire))] ^= 1 << rng.IntN(8)
	}
	if rng.IntN(4) == 0 {
		wire = wire[:rng.IntN(len(wire)+1)]
	}
	return wire
}
