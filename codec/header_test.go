package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/mask"
)

// Every header that AppendHeader can write comes back from ParseHeader, and from
// no prefix of it.
func TestHeaderRoundTrip(t *testing.T) {
	lengths := []int64{0, 1, 2, 125, 126, 127, 255, 256, 65535, 65536, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 - 1}
	for bits := range 64 {
		for _, op := range []codec.Opcode{0, 1, 2, 8, 9, 10} {
			for _, length := range lengths {
				h := codec.Header{FIN: bits&1 != 0, RSV1: bits&2 != 0, RSV2: bits&4 != 0, RSV3: bits&8 != 0,
					Opcode: op, Masked: bits&16 != 0, PayloadLength: length}
				if h.Masked {
					h.MaskingKey = mask.Key{0x37, 0xfa, 0x21, 0x3d}
				} else if bits&32 != 0 {
					continue
				}
				if op.IsControl() && (!h.FIN || length > 125) || op == codec.OpClose && length == 1 {
					continue
				}
				holdHeader(t, h)
			}
		}
	}
}

func holdHeader(t *testing.T, h codec.Header) {
	t.Helper()
	b := codec.AppendHeader([]byte("kept"), h)
	if !bytes.HasPrefix(b, []byte("kept")) || len(b)-4 > codec.MaxHeaderSize {
		t.Fatalf("%+v: % x", h, b)
	}
	b = b[4:]
	for n := range b {
		if got, m, err := codec.ParseHeader(b[:n:n]); m != 0 || err != nil || got != (codec.Header{}) {
			t.Fatalf("% x of % x: %+v, %d, %v", b[:n], b, got, m, err)
		}
	}
	got, n, err := codec.ParseHeader(append(b, 0xFF))
	if got != h || n != len(b) || err != nil {
		t.Fatalf("% x: %+v, %d, %v, want %+v", b, got, n, err, h)
	}
}

// Every first two octets, with lengths of all kinds behind them: ParseHeader
// says what a Parser in the right role and place says, wherever the header
// shows the breach by itself.
func TestParseHeaderAgreesWithParser(t *testing.T) {
	tails := []string{"", "\x00", "\x00\x7d", "\x00\x7e", "\xff\xff", "\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x00\x00\xff\xff",
		"\x00\x00\x00\x00\x00\x01\x00\x00", "\x7f\xff\xff\xff\xff\xff\xff\xff", "\x80", "\x00\x00\x00\x00\x00\x01\x00\x00\x01\x02\x03\x04"}
	for first := range 256 {
		for second := range 256 {
			for _, tail := range tails {
				in := append([]byte{byte(first), byte(second)}, tail...)
				if err := headerAgrees(in); err != nil {
					t.Fatalf("% x: %v", in, err)
				}
			}
		}
	}
}

func headerAgrees(in []byte) error {
	h, n, err := codec.ParseHeader(in)
	if err != nil && (h != codec.Header{} || n >= len(in)) {
		return fmt.Errorf("%+v, %d with %w", h, n, err)
	}
	// A parser that has nothing to say against the order of frames, the RSV bits
	// and the MASK bit.
	c := codec.Config{}
	if in[1]&0x80 == 0 {
		c.Role = codec.Client
	}
	var p codec.Parser
	p.Reset(c)
	if in[0]&0xF == 0 {
		open := codec.AppendHeader(nil, codec.Header{Opcode: codec.OpBinary, Masked: c.Role == codec.Server})
		if _, _, err := p.Next(open); err != nil {
			return err
		}
	}
	if in[0]&0x70 != 0 {
		if _, m, perr := p.Next(in); m != 0 || perr != error(codec.ErrReservedBits) {
			return fmt.Errorf("RSV: parser %d, %w", m, perr)
		}
		return nil
	}
	_, m, perr := p.Next(bytes.Clone(in))
	var broken *codec.ProtocolError
	switch {
	case errors.As(perr, &broken) && broken.Rule >= codec.RuleCloseCode:
		return nil // shown by the payload, not the header
	case err != perr, err != nil && n != m:
		return fmt.Errorf("ParseHeader %d, %w; parser %d, %w", n, err, m, perr)
	case err == nil && n == 0 && m != 0, err == nil && m != 0 && m < n:
		return fmt.Errorf("ParseHeader %d octets, parser %d", n, m)
	case err == nil && n != 0 && !h.Opcode.IsControl() && h.Opcode != codec.OpText && m != n+int(min(h.PayloadLength, int64(len(in)-n))):
		return fmt.Errorf("ParseHeader %d octets, payload %d; parser %d", n, h.PayloadLength, m)
	}
	return nil
}

// ParseHeader tells a breach as soon as it is certain, and at its octet.
// Hazards 1, 2 and 5.
func TestParseHeaderTellsEarly(t *testing.T) {
	for _, c := range []struct {
		wire string
		err  error
		at   int
	}{
		{"\x83", codec.ErrReservedOpcode, 0},
		{"\x09", codec.ErrFragmentedControl, 0},
		{"\x89\x7e", codec.ErrControlTooLong, 1},
		{"\x88\x01", codec.ErrClosePayload, 1},
		{"\x82\x7e\x00\x7d", codec.ErrNonMinimalLength, 3},
		{"\x82\x7f\x00\x00\x00\x00\x00\x00", codec.ErrNonMinimalLength, 7},
		{"\x82\x7f\x80", codec.ErrLengthTopBit, 2},
	} {
		for n := range len(c.wire) + 1 {
			h, at, err := codec.ParseHeader([]byte(c.wire[:n]))
			if want := n > c.at; want != (err == c.err) || want && at != c.at || !want && (at != 0 || err != nil) || h != (codec.Header{}) {
				t.Errorf("% x: %+v, %d, %v", c.wire[:n], h, at, err)
			}
		}
	}
}

// AppendHeader writes what it is told, for tests and extensions; the octets that
// it cannot write are a caller's mistake.
func TestAppendHeaderWritesWhatItIsTold(t *testing.T) {
	if b := codec.AppendHeader(nil, codec.Header{RSV1: true, RSV3: true, Opcode: 0xF, PayloadLength: 126}); string(b) != "\x5f\x7e\x00\x7e" {
		t.Errorf("% x", b)
	}
	if b := codec.AppendHeader(nil, codec.Header{FIN: true, Opcode: codec.OpText, MaskingKey: mask.Key{1}}); string(b) != "\x81\x00" {
		t.Errorf("a key without MASK was written: % x", b)
	}
	for _, h := range []codec.Header{{PayloadLength: -1}, {Opcode: 0x10}} {
		mustPanic(t, fmt.Sprintf("AppendHeader(%+v)", h), func() { codec.AppendHeader(nil, h) })
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s does not panic", what)
		}
	}()
	f()
}

func TestOpcodes(t *testing.T) {
	names := map[codec.Opcode]string{0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong",
		3: "reserved 0x3", 7: "reserved 0x7", 11: "reserved 0xB", 15: "reserved 0xF", 16: "no opcode: over 4 bits", 255: "no opcode: over 4 bits"}
	for op, name := range names {
		if op.String() != name {
			t.Errorf("%d: %q, want %q", op, op, name)
		}
	}
	for op := range codec.Opcode(16) {
		reserved := op >= 3 && op <= 7 || op >= 11
		if op.IsReserved() != reserved || op.IsControl() != (op >= 8) || op.IsData() != (op == 1 || op == 2) {
			t.Errorf("%v: reserved %v, control %v, data %v", op, op.IsReserved(), op.IsControl(), op.IsData())
		}
	}
	if !codec.Opcode(0x11).IsReserved() || codec.Server.String() != "server" || codec.Client.String() != "client" {
		t.Error("names of roles, or an opcode over 4 bits")
	}
}
