package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/oracle"
)

// Every stream of the table, at every cut: the messages are the oracle's, and
// what was borrowed is returned.
func TestAssemblerJoins(t *testing.T) {
	for _, c := range oracle.Cases() {
		if len(c.Wire) > 300 {
			continue
		}
		want := oracle.Messages(decode(c.Config(), c.Wire).Events)
		for _, src := range []*oracle.Classes{oracle.NewClasses(), nil} {
			for cut := range len(c.Wire) + 1 {
				got := assemble(t, c.Config(), []byte(c.Wire), cut, src)
				if len(got) != len(want) {
					t.Fatalf("%s cut at %d: %q, want %q", c.Name, cut, got, want)
				}
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%s cut at %d: message %q, want %q", c.Name, cut, got[i], want[i])
					}
				}
				if src != nil && src.Out() != 0 {
					t.Fatalf("%s cut at %d: %d buffers are not returned", c.Name, cut, src.Out())
				}
			}
		}
	}
}

// assemble plays wire in two chunks and returns the whole messages.
func assemble(t *testing.T, c codec.Config, wire []byte, cut int, src *oracle.Classes) (all []string) {
	t.Helper()
	var source codec.Source // nil for a nil src
	if src != nil {
		source = src
	}
	var p codec.Parser
	var a codec.Assembler
	p.Reset(c)
	arrived := 0
	for low, high := 0, cut; ; {
		ev, n, err := p.Next(wire[low:high])
		low += n
		if ev.Opcode.IsData() {
			arrived += len(ev.Payload)
			message, whole, err := a.Add(ev, source)
			if err != nil || a.Pending() > arrived {
				t.Fatalf("%d octets held of %d, %v", a.Pending(), arrived, err)
			}
			if whole {
				all = append(all, string(message))
				a.Release(source)
				arrived = 0
			}
		}
		if err != nil || ev.Opcode == 0 && high == len(wire) {
			break
		}
		if ev.Opcode == 0 {
			high = len(wire)
		}
	}
	a.Release(source)
	if a.Pending() != 0 || a.Cap() != 0 {
		t.Fatalf("after Release %d octets, capacity %d", a.Pending(), a.Cap())
	}
	return all
}

// Memory grows with octets received, never with octets announced: hazard 3.
func TestAssemblerMemoryFollowsArrival(t *testing.T) {
	head := "\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00" // 4 GiB announced
	for _, source := range []codec.Source{oracle.NewClasses(), nil} {
		var p codec.Parser
		var a codec.Assembler
		p.Reset(codec.Config{Role: codec.Client})
		in := append([]byte(head), make([]byte, 200)...)
		for arrived := 0; arrived < 1<<20; {
			ev, n, err := p.Next(in)
			if n != len(in) || err != nil {
				t.Fatal(n, err)
			}
			if _, whole, err := a.Add(ev, source); whole || err != nil {
				t.Fatal(whole, err)
			}
			arrived += len(ev.Payload)
			if a.Pending() != arrived || a.Cap() > max(256, 2*arrived) {
				t.Fatalf("%d octets arrived: %d held in %d", arrived, a.Pending(), a.Cap())
			}
			in = make([]byte, 200+arrived/8)
		}
		a.Release(source)
	}
}

// A header alone, or empty fragments, cost no memory: hazard 4.
func TestAssemblerEmptyPiecesCostNothing(t *testing.T) {
	src := oracle.NewClasses()
	var a codec.Assembler
	for i := range 1000 {
		if _, whole, err := a.Add(codec.Event{Opcode: codec.OpText, First: i == 0}, src); whole || err != nil {
			t.Fatal(whole, err)
		}
	}
	if a.Cap() != 0 || src.Grown != 0 {
		t.Errorf("%d octets of memory, %d times grown", a.Cap(), src.Grown)
	}
	if message, whole, err := a.Add(codec.Event{Opcode: codec.OpText, Last: true}, src); len(message) != 0 || !whole || err != nil {
		t.Errorf("%q, %v, %v", message, whole, err)
	}
	a.Release(src)
}

// A source without memory: its error comes back, what was gathered stays, and
// is returned.
func TestAssemblerSourceFails(t *testing.T) {
	src := oracle.NewClasses()
	var a codec.Assembler
	piece := codec.Event{Opcode: codec.OpBinary, Payload: make([]byte, 60), First: true}
	if _, _, err := a.Add(piece, src); err != nil {
		t.Fatal(err)
	}
	src.Fail = errors.New("no memory")
	piece.First = false
	if message, whole, err := a.Add(piece, src); err != src.Fail || whole || message != nil || a.Pending() != 60 || a.Cap() != 64 {
		t.Errorf("%v, %v, %v; %d in %d", message, whole, err, a.Pending(), a.Cap())
	}
	if _, _, err := a.Add(codec.Event{Opcode: codec.OpBinary, Payload: make([]byte, 4)}, src); err != nil {
		t.Errorf("a piece that fits: %v", err)
	}
	a.Release(src)
	if src.Out() != 0 {
		t.Error("memory was not returned")
	}
	a.Release(src) // twice is once
}

// A message that is one event is passed on without a copy.
func TestAssemblerDoesNotCopyOneEvent(t *testing.T) {
	src := oracle.NewClasses()
	var a codec.Assembler
	payload := []byte("whole")
	message, whole, err := a.Add(codec.Event{Opcode: codec.OpText, Payload: payload, First: true, Last: true}, src)
	if !whole || err != nil || &message[0] != &payload[0] || src.Grown != 0 || a.Cap() != 0 {
		t.Errorf("%q, %v, %v", message, whole, err)
	}
}

// Pieces are copied: the input's memory may be used again at once.
func TestAssemblerCopiesPieces(t *testing.T) {
	var a codec.Assembler
	buffer := []byte("one ")
	a.Add(codec.Event{Opcode: codec.OpText, Payload: buffer, First: true}, nil)
	copy(buffer, "two!")
	if message, whole, err := a.Add(codec.Event{Opcode: codec.OpText, Payload: buffer, Last: true}, nil); string(message) != "one two!" || !whole || err != nil {
		t.Errorf("%q, %v, %v", message, whole, err)
	}
}

// A caller that forgets Release gets each message by itself all the same.
func TestAssemblerWithoutRelease(t *testing.T) {
	var a codec.Assembler
	for _, text := range []string{"first", "second message", "third"} {
		a.Add(codec.Event{Opcode: codec.OpText, Payload: []byte(text[:3]), First: true}, nil)
		if message, _, err := a.Add(codec.Event{Opcode: codec.OpText, Payload: []byte(text[3:]), Last: true}, nil); string(message) != text || err != nil {
			t.Errorf("%q, %v, want %q", message, err, text)
		}
	}
}

// In steady state a pooled source makes gathering free of allocations.
func TestAssemblerDoesNotAllocate(t *testing.T) {
	wire := codec.AppendFrame(nil, codec.Header{Opcode: codec.OpBinary, Masked: true}, bytes.Repeat([]byte("x"), 300))
	wire = codec.AppendFrame(wire, codec.Header{FIN: true, Masked: true}, bytes.Repeat([]byte("y"), 3000))
	in := make([]byte, len(wire))
	var p codec.Parser
	var a codec.Assembler
	var src codec.Source = oracle.NewClasses()
	gather := func() {
		copy(in, wire)
		for low, high := 0, 200; low < len(in); high = min(high+700, len(in)) {
			ev, n, err := p.Next(in[low:high])
			low += n
			message, whole, aerr := a.Add(ev, src)
			if n == 0 || err != nil || aerr != nil || whole && len(message) != 3300 {
				t.Fatal(err, aerr, len(message))
			}
			if whole {
				a.Release(src)
			}
		}
	}
	for range 5 {
		gather() // warm the pool
	}
	if n := testing.AllocsPerRun(200, gather); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
