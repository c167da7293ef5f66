package codec_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/oracle"
	"github.com/hybi-go/hybi/mask"
)

// clientFrame appends a client's frame.
func clientFrame(dst []byte, op codec.Opcode, payload string) []byte {
	key := mask.Key{byte(len(dst) + 1), byte(len(payload)), 0xA5, byte(op)}
	return codec.AppendFrame(dst, codec.Header{FIN: true, Opcode: op, Masked: true, MaskingKey: key}, []byte(payload))
}

// Every length, at every alignment, by itself and behind and ahead of others: what
// NextRun says is what Next and the oracle say. Replay compares.
func TestRunLengths(t *testing.T) {
	for size := range 131 {
		for _, op := range []codec.Opcode{codec.OpText, codec.OpBinary} {
			payload := strings.Repeat("The quick brown fox. ", 7)[:size]
			for before := range 9 {
				wire := clientFrame(nil, codec.OpBinary, strings.Repeat("\xff", before))
				for range 3 {
					wire = clientFrame(wire, op, payload)
				}
				wire = clientFrame(wire, codec.OpPing, "")
				runsAgree(t, wire)
			}
		}
	}
}

// A text of each length with an octet that is not ASCII at each place: good UTF-8
// stays in the run, bad ends it.
func TestRunText(t *testing.T) {
	for size := range 126 {
		for at := range size {
			for _, odd := range []string{"\xff", "é"} {
				if at+len(odd) > size {
					continue
				}
				payload := strings.Repeat("a", at) + odd + strings.Repeat("b", size-at-len(odd))
				wire := clientFrame(nil, codec.OpText, "first")
				wire = clientFrame(wire, codec.OpText, payload)
				wire = clientFrame(wire, codec.OpText, "last")
				want := 3
				if odd == "\xff" {
					want = 1
				}
				var p codec.Parser
				var spans [4]codec.Span
				if k, _ := p.NextRun(bytes.Clone(wire), spans[:]); k != want {
					t.Fatalf("%q: a run of %d, want %d", payload, k, want)
				}
				runsAgree(t, wire)
			}
		}
	}
}

// What must end a run, each behind one frame of it.
func TestRunEnds(t *testing.T) {
	wire := clientFrame(nil, codec.OpBinary, "good")
	next := len(wire)
	wire = clientFrame(wire, codec.OpBinary, strings.Repeat("x", 125))
	for _, c := range []struct {
		name   string
		damage func(frame []byte) []byte
	}{
		{"RSV1", func(f []byte) []byte { f[0] |= 0x40; return f }},
		{"RSV2", func(f []byte) []byte { f[0] |= 0x20; return f }},
		{"RSV3", func(f []byte) []byte { f[0] |= 0x10; return f }},
		{"no FIN", func(f []byte) []byte { f[0] &^= 0x80; return f }},
		{"continuation", func(f []byte) []byte { f[0] = 0x80; return f }},
		{"opcode 3", func(f []byte) []byte { f[0] = 0x83; return f }},
		{"opcode 5", func(f []byte) []byte { f[0] = 0x85; return f }},
		{"opcode 6", func(f []byte) []byte { f[0] = 0x86; return f }},
		{"ping", func(f []byte) []byte { f[0] = 0x89; return f }},
		{"close", func(f []byte) []byte { f[0] = 0x88; return f }},
		{"opcode 10", func(f []byte) []byte { f[0] = 0x8A; return f }},
		{"unmasked", func(f []byte) []byte { f[1] &^= 0x80; return f }},
		{"16-bit length", func(f []byte) []byte { f[1] = 0xFE; return f }},
		{"64-bit length", func(f []byte) []byte { f[1] = 0xFF; return f }},
		{"not whole", func(f []byte) []byte { return f[:len(f)-1] }},
		{"header not whole", func(f []byte) []byte { return f[:5] }},
		{"nothing", func(f []byte) []byte { return nil }},
	} {
		b := bytes.Clone(wire)
		b = b[:next+len(c.damage(b[next:]))]
		before := bytes.Clone(b)
		var p codec.Parser
		spans := make([]codec.Span, 4)
		k, n := p.NextRun(b, spans)
		if k != 1 || n != next || p.InputOffset() != int64(next) || !bytes.Equal(b[next:], before[next:]) {
			t.Errorf("%s: a run of %d in %d octets, want 1 in %d, and the rest unchanged", c.name, k, n, next)
		}
	}
}

// Limits, places and roles in which there is no run.
func TestRunNone(t *testing.T) {
	spans := make([]codec.Span, 4)
	frame := clientFrame(nil, codec.OpBinary, "12345")
	var p codec.Parser
	if k, n := p.NextRun(bytes.Clone(frame), nil); k != 0 || n != 0 {
		t.Errorf("no room for spans: a run of %d, %d octets", k, n)
	}
	p.Reset(codec.Config{MaxMessage: 4})
	if k, n := p.NextRun(bytes.Clone(frame), spans); k != 0 || n != 0 {
		t.Errorf("above the limit: a run of %d, %d octets", k, n)
	}
	p.Reset(codec.Config{MaxMessage: 5})
	if k, n := p.NextRun(bytes.Clone(frame), spans); k != 1 || n != len(frame) {
		t.Errorf("at the limit: a run of %d, %d octets", k, n)
	}
	p.Reset(codec.Config{Role: codec.Client})
	if k, n := p.NextRun(bytes.Clone(frame), spans); k != 0 || n != 0 {
		t.Errorf("client: a run of %d, %d octets", k, n)
	}
	p.Reset(codec.Config{})
	start := clientFrame(nil, codec.OpBinary, "start")
	start[0] &^= 0x80
	if _, n, err := p.Next(start); n != len(start) || err != nil {
		t.Fatal(n, err)
	}
	if k, n := p.NextRun(bytes.Clone(frame), spans); k != 0 || n != 0 {
		t.Errorf("inside a message: a run of %d, %d octets", k, n)
	}
	if _, _, err := p.Next(bytes.Clone(frame)); err != codec.ErrInterruptedMessage {
		t.Fatal(err)
	}
	if k, n := p.NextRun(bytes.Clone(frame), spans); k != 0 || n != 0 {
		t.Errorf("after an error: a run of %d, %d octets", k, n)
	}
}

// Streams of frames of every kind, good and bad.
func TestRunRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 455))
	ops := []codec.Opcode{codec.OpText, codec.OpText, codec.OpBinary, codec.OpBinary, codec.OpBinary, codec.OpPing}
	for range 3000 {
		var wire []byte
		for range rng.IntN(30) {
			size := rng.IntN(20)
			if rng.IntN(3) == 0 {
				size = rng.IntN(140)
			}
			payload := strings.Repeat("Grüße, 世界 😀 plain ASCII text of some length, enough for all. ", 3)[:size]
			op := ops[rng.IntN(len(ops))]
			if op == codec.OpPing {
				payload = payload[:min(size, 125)]
			}
			wire = clientFrame(wire, op, payload)
		}
		if len(wire) > 0 && rng.IntN(2) == 0 {
			wire[rng.IntN(len(wire))] ^= 1 << rng.IntN(8)
		}
		runsAgree(t, wire)
	}
}

// runsAgree has Replay compare runs with Next, and both with the oracle.
func runsAgree(t *testing.T, wire []byte) {
	t.Helper()
	for _, c := range []codec.Config{{}, {MaxMessage: 100, MaxFragments: 2}} {
		want := oracle.Decode(c.Role, c.MaxMessage, c.MaxFragments, wire)
		got, err := oracle.Replay(c, wire, len(wire)/3)
		if err != nil {
			t.Fatalf("% x: %v", wire, err)
		}
		if diff := oracle.Diff(got, want); diff != "" {
			t.Fatalf("% x: %s", wire, diff)
		}
	}
}
