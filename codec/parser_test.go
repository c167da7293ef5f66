package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/mask"
)

// masked returns a client's frame of one message.
func masked(op codec.Opcode, payload string) []byte {
	return codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: op, Masked: true, MaskingKey: mask.Key{0xA5, 1, 0x7F, 0x80}}, []byte(payload))
}

// Every connection holds a Parser, and every call returns an Event.
func TestSizes(t *testing.T) {
	if size := unsafe.Sizeof(codec.Parser{}); size > 64 {
		t.Errorf("a Parser has %d octets, more than 64", size)
	}
	if size := unsafe.Sizeof(codec.Event{}); size > 32 {
		t.Errorf("an Event has %d octets, more than 32", size)
	}
	if size := len(masked(codec.OpPing, strings.Repeat("x", 125))); size != codec.MaxControlSize {
		t.Errorf("MaxControlSize is %d, want %d", codec.MaxControlSize, size)
	}
}

// The zero Parser is a server's, without limits.
func TestZeroParser(t *testing.T) {
	var zero, reset codec.Parser
	reset.Reset(codec.Config{})
	if zero != reset {
		t.Errorf("zero %+v, Reset with the zero Config %+v", zero, reset)
	}
	if _, _, err := zero.Next([]byte("\x82\x05")); err != error(codec.ErrUnmasked) {
		t.Errorf("an unmasked frame: %v", err)
	}
	var p codec.Parser
	first, middle := codec.Header{Opcode: codec.OpBinary, Masked: true}, codec.Header{Masked: true}
	wire := codec.AppendHeader(nil, first)
	for range 200_000 {
		wire = codec.AppendHeader(wire, middle)
	}
	wire = codec.AppendHeader(wire, codec.Header{FIN: true, Masked: true, PayloadLength: 1 << 62})
	for in := wire; len(in) > 0; {
		_, n, err := p.Next(in)
		if err != nil || n == 0 {
			t.Fatalf("at %d: %v", p.InputOffset(), err)
		}
		in = in[n:]
	}
}

// MaxFragments beyond 32 bits is a limit too, not one that wrapped around. Hazard 4.
func TestMaxFragmentsDoesNotWrap(t *testing.T) {
	var p codec.Parser
	most := int(^uint(0) >> 1)
	p.Reset(codec.Config{Role: codec.Client, MaxFragments: most})
	for _, frame := range []string{"\x02\x00", "\x00\x00", "\x80\x00"} {
		if _, _, err := p.Next([]byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
}

// An error stays until Reset, whatever is given, and Reset ends it. Hazard 12.
func TestErrorIsPermanentUntilReset(t *testing.T) {
	for _, wire := range []string{"\xc1", "\x81\x05", "\x88\x82\x00\x00\x00\x00\x00", "\x81\x81\x00\x00\x00\x00\xff"} {
		var p codec.Parser
		in := []byte(wire)
		ev, n, err := p.Next(in)
		if err == nil { // the octets before the one at fault
			if ev.Opcode != codec.OpText || len(ev.Payload) != 0 {
				t.Fatalf("% x: %+v", wire, ev)
			}
			_, _, err = p.Next(in[n:])
		}
		var broken *codec.ProtocolError
		if !errors.As(err, &broken) {
			t.Fatalf("% x: %v", wire, err)
		}
		at := p.InputOffset()
		for _, again := range [][]byte{nil, masked(codec.OpText, "fine"), in} {
			if ev, n, err := p.Next(again); err != error(broken) || n != 0 || ev.Opcode != 0 || p.InputOffset() != at {
				t.Errorf("% x, then % x: %+v, %d, %v", wire, again, ev, n, err)
			}
		}
		p.Reset(codec.Config{})
		if ev, _, err := p.Next(masked(codec.OpText, "fine")); err != nil || string(ev.Payload) != "fine" || p.InputOffset() != 10 {
			t.Errorf("after Reset: %+v, %v, offset %d", ev, err, p.InputOffset())
		}
	}
}

// After a close frame everything is taken, nothing told (RFC 6455 §5.5.1). Hazard 12.
func TestAfterCloseEverythingIsIgnored(t *testing.T) {
	var p codec.Parser
	in := append(masked(codec.OpClose, "\x03\xe8"), masked(codec.OpText, "late")...)
	if ev, n, err := p.Next(in); ev.Opcode != codec.OpClose || n != 8 || err != nil {
		t.Fatalf("%+v, %d, %v", ev, n, err)
	}
	late := bytes.Clone(in[8:])
	for _, more := range [][]byte{in[8:], nil, []byte("\xff\xff\xff")} {
		if ev, n, err := p.Next(more); ev.Opcode != 0 || n != len(more) || err != nil {
			t.Errorf("% x: %+v, %d, %v", more, ev, n, err)
		}
	}
	if p.InputOffset() != int64(len(in)+3) || !bytes.Equal(in[8:], late) {
		t.Errorf("offset %d, octets % x", p.InputOffset(), in[8:])
	}
}

// Of a header or control frame that is cut nothing is taken, nothing changed,
// and it may come again in other memory (hazard 8).
func TestCutControlFrameIsNotTouched(t *testing.T) {
	frame := masked(codec.OpPing, "0123456789")
	var p codec.Parser
	before := p
	for n := range frame {
		in := bytes.Clone(frame[:n])
		ev, took, err := p.Next(in)
		if ev.Opcode != 0 || took != 0 || err != nil || p != before || !bytes.Equal(in, frame[:n]) {
			t.Fatalf("%d octets: %+v, %d, %v, in % x", n, ev, took, err, in)
		}
	}
	if ev, _, err := p.Next(frame); string(ev.Payload) != "0123456789" || err != nil {
		t.Errorf("%+v, %v", ev, err)
	}
}

// Payload is handed on as it arrives, not kept until the frame is whole.
func TestPayloadIsHandedOnAsItArrives(t *testing.T) {
	var p codec.Parser
	frame := masked(codec.OpBinary, strings.Repeat("x", 1000))
	for at := 0; at < len(frame); at += 100 {
		size := min(100, len(frame)-at)
		ev, n, err := p.Next(frame[at : at+size])
		if n != size || err != nil || ev.First != (at == 0) || ev.Last != (at+size == len(frame)) {
			t.Fatalf("at %d: %+v, %d, %v", at, ev, n, err)
		}
	}
}

func TestInMessage(t *testing.T) {
	var p codec.Parser
	p.Reset(codec.Config{Role: codec.Client})
	for _, step := range []struct {
		in   string
		want bool
	}{
		{"", false}, {"\x81\x01", true}, {"a", false}, {"\x01\x00", true}, {"\x89\x00", true}, {"", true},
		{"\x80\x02a", true}, {"b", false}, {"\x82\x00", false}, {"\x01\x00", true}, {"\x88\x00", false}, {"x", false},
	} {
		if _, _, err := p.Next([]byte(step.in)); err != nil || p.InMessage() != step.want {
			t.Errorf("after % x: %v, want %v; %v", step.in, p.InMessage(), step.want, err)
		}
	}
	p.Reset(codec.Config{})
	in := masked(codec.OpText, "a\xff")
	_, n, _ := p.Next(in)
	if _, _, err := p.Next(in[n:]); err == nil || p.InMessage() {
		t.Errorf("after an error: %v, %v", p.InMessage(), err)
	}
}

// What a hostile stream costs is bounded by its length: a call takes something
// or asks for more.
func TestEveryCallAdvances(t *testing.T) {
	wire := bytes.Repeat([]byte("\x89\x00"), 1000)
	var p codec.Parser
	p.Reset(codec.Config{Role: codec.Client})
	calls := 0
	for in := wire; len(in) > 0; calls++ {
		_, n, err := p.Next(in)
		if n == 0 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		in = in[n:]
	}
	if calls != 1000 {
		t.Errorf("%d calls for 1000 frames", calls)
	}
}

// No allocation for reading, writing into room, and errors.
func TestNoAllocation(t *testing.T) {
	wire := append(masked(codec.OpText, "Hello κόσμε"), masked(codec.OpBinary, strings.Repeat("x", 300))...)
	wire = append(wire, masked(codec.OpPing, "ping")...)
	wire = append(wire, codec.AppendFrame(nil, codec.Header{Opcode: codec.OpText, Masked: true}, []byte("fragment"))...)
	wire = append(wire, masked(codec.OpClose, "\x03\xe8bye")...)
	in := make([]byte, len(wire))
	room := make([]byte, 0, 1024)
	payload := []byte(wire[:200])
	header := codec.Header{FIN: true, Opcode: codec.OpBinary, Masked: true, MaskingKey: mask.Key{1, 2, 3, 4}}
	keys := codec.NewKeys(bytes.NewReader(make([]byte, 1<<20)))
	// How often a close frame is judged or built: see closeEscapes. Octet by octet
	// it is judged again with each of its octets.
	closes := map[string]int{"Parser.Next, whole": 1, "Parser.Next, octet by octet": len("\x03\xe8bye") + 1, "AppendClose": 1}
	for name, f := range map[string]func(){
		"Parser.Next, whole": func() {
			copy(in, wire)
			var p codec.Parser
			for b := in; len(b) > 0; {
				_, n, err := p.Next(b)
				if err != nil || n == 0 {
					t.Fatal(n, err)
				}
				b = b[n:]
			}
		},
		"Parser.Next, octet by octet": func() {
			copy(in, wire)
			var p codec.Parser
			for low, high := 0, 1; high <= len(in); high++ {
				_, n, err := p.Next(in[low:high])
				if err != nil {
					t.Fatal(err)
				}
				low += n
			}
		},
		"Parser.Next, error": func() {
			var p codec.Parser
			if _, _, err := p.Next(in[:copy(in, "\x81\x00")]); err == nil {
				t.Fatal("no error")
			}
		},
		"ParseHeader": func() {
			if _, n, err := codec.ParseHeader(wire); n != 6 || err != nil {
				t.Fatal(n, err)
			}
		},
		"AppendFrame":        func() { codec.AppendFrame(room, header, payload) },
		"AppendHeader":       func() { codec.AppendHeader(room, header) },
		"AppendClose":        func() { appendClose(t, room) },
		"AppendClosePayload": func() { appendClosePayload(t, room) },
		"Keys.Next": func() {
			if _, err := keys.Next(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		want := float64(closeEscapes * closes[name])
		if n := testing.AllocsPerRun(200, f); n != want {
			t.Errorf("%s: %v allocations, want %v", name, n, want)
		}
	}
}

func appendClose(t *testing.T, room []byte) {
	if _, err := codec.AppendClose(room, codec.CloseGoingAway, "going"); err != nil {
		t.Fatal(err)
	}
}

func appendClosePayload(t *testing.T, room []byte) {
	if _, err := codec.AppendClosePayload(room, codec.CloseGoingAway, "going"); err != nil {
		t.Fatal(err)
	}
}

// errors.Is and errors.As find a ProtocolError behind what a caller wraps it in.
func TestErrorsMatch(t *testing.T) {
	var p codec.Parser
	_, _, err := p.Next([]byte("\x81\x00"))
	err = fmt.Errorf("connection 7: %w", err)
	var broken *codec.ProtocolError
	if !errors.Is(err, codec.ErrUnmasked) || !errors.As(err, &broken) || broken.Code != codec.CloseProtocolError {
		t.Error(err)
	}
}

// A limit computed wrong must not be taken for none.
func TestResetRefusesNegativeLimits(t *testing.T) {
	for _, c := range []codec.Config{{MaxMessage: -1}, {MaxFragments: -1}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Reset(%+v) did not panic", c)
				}
			}()
			new(codec.Parser).Reset(c)
		}()
	}
}
