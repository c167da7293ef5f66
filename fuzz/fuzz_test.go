// Package fuzz holds the codec against the oracle on whatever a fuzzer finds.
// Seeds are the table of the wire and the files under testdata/fuzz; run.sh runs
// every target of the module.
package fuzz

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/oracle"
	"github.com/hybi-go/hybi/mask"
)

// config draws an endpoint: role by the lowest bit; limits of 0 are none.
func config(role uint8, maxMessage int64, maxFragments uint16) codec.Config {
	return codec.Config{Role: codec.Role(role & 1), MaxMessage: max(maxMessage, 0), MaxFragments: int(maxFragments)}
}

// chunks returns the ascending offsets at which the octets of steps cut a stream.
func chunks(size int, steps []byte) (cuts []int) {
	at := 0
	for _, step := range steps {
		if at += int(step); at > size {
			break
		}
		cuts = append(cuts, at)
	}
	return cuts
}

// each cuts between all octets.
func each(size int) []int {
	cuts := make([]int, size)
	for i := range cuts {
		cuts[i] = i
	}
	return cuts
}

// FuzzParser: events, error and offset are the oracle's, however a stream is cut.
// Hazards 1, 2, 5, 6, 7, 8 and 12.
func FuzzParser(f *testing.F) {
	for i, c := range oracle.Cases() {
		f.Add(uint8(c.Role), c.MaxMessage, uint16(c.MaxFragments), []byte{byte(i), 1, byte(i / 7)}, []byte(c.Wire))
	}
	f.Fuzz(func(t *testing.T, role uint8, maxMessage int64, maxFragments uint16, steps, stream []byte) {
		c := config(role, maxMessage, maxFragments)
		want := oracle.Decode(c.Role, c.MaxMessage, c.MaxFragments, stream)
		for _, cuts := range [][]int{nil, each(len(stream)), chunks(len(stream), steps)} {
			got, err := oracle.Replay(c, stream, cuts...)
			if err != nil {
				t.Fatalf("cuts %v: %v", cuts, err)
			}
			if diff := oracle.Diff(got, want); diff != "" {
				t.Fatalf("cuts %v: %s", cuts, diff)
			}
		}
	})
}

// FuzzMessages: an Assembler above the parser gives the oracle's messages, holds
// no more than the class of what has arrived, and returns it all. Hazards 3 and 4.
func FuzzMessages(f *testing.F) {
	for i, c := range oracle.Cases() {
		f.Add(uint8(c.Role), c.MaxMessage, uint16(c.MaxFragments), []byte{byte(i), 1, byte(i / 7)}, []byte(c.Wire))
	}
	f.Fuzz(func(t *testing.T, role uint8, maxMessage int64, maxFragments uint16, steps, stream []byte) {
		c := config(role, maxMessage, maxFragments)
		want := oracle.Messages(oracle.Decode(c.Role, c.MaxMessage, c.MaxFragments, stream).Events)
		got := messages(t, c, bytes.Clone(stream), chunks(len(stream), steps))
		if len(got) != len(want) {
			t.Fatalf("%d messages, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("message %d: %.100q, want %.100q", i, got[i], want[i])
			}
		}
	})
}

// messages plays stream to an Assembler and returns the whole messages.
func messages(t *testing.T, c codec.Config, stream []byte, cuts []int) (all []string) {
	var p codec.Parser
	var a codec.Assembler
	p.Reset(c)
	src := oracle.NewClasses()
	low, arrived := 0, 0
	for _, high := range append(cuts, len(stream)) {
		for {
			ev, n, err := p.Next(stream[low:high])
			low += n
			if err != nil || ev.Opcode == 0 {
				break
			}
			if ev.Opcode.IsControl() {
				continue
			}
			arrived += len(ev.Payload)
			message, whole, err := a.Add(ev, src)
			if err != nil {
				t.Fatal(err)
			}
			if a.Cap() > max(oracle.Least, 2*arrived) || a.Cap() > 0 && a.Pending() > arrived || arrived == 0 && a.Cap() > 0 {
				t.Fatalf("%d octets held in %d, %d have arrived", a.Pending(), a.Cap(), arrived)
			}
			if whole {
				all = append(all, string(message))
				a.Release(src)
				arrived = 0
			}
		}
	}
	a.Release(src)
	if src.Out() != 0 {
		t.Fatalf("%d buffers are not returned", src.Out())
	}
	return all
}

// FuzzRoundTrip: what we write we read; what we read we can write again, octet
// for octet, as there is one minimal header only.
func FuzzRoundTrip(f *testing.F) {
	for _, c := range oracle.Cases() {
		f.Add(uint8(c.Role), uint8(2), uint32(0x37fa213d), []byte(c.Wire))
	}
	f.Fuzz(func(t *testing.T, role, opcode uint8, key uint32, octets []byte) {
		rewrite(t, octets)
		c := codec.Config{Role: codec.Role(role & 1)}
		h := codec.Header{FIN: true, Opcode: []codec.Opcode{codec.OpText, codec.OpBinary, codec.OpPing, codec.OpPong}[opcode%4],
			Masked: c.Role == codec.Server}
		if h.Masked {
			h.MaskingKey = mask.Key{byte(key >> 24), byte(key >> 16), byte(key >> 8), byte(key)}
		}
		if h.Opcode.IsControl() {
			octets = octets[:min(len(octets), 125)]
		}
		before := bytes.Clone(octets)
		wire := codec.AppendFrame([]byte("dst"), h, octets)
		if !bytes.Equal(octets, before) || string(wire[:3]) != "dst" {
			t.Fatal("AppendFrame changed the payload, or what was in dst")
		}
		wire = wire[3:]
		var p codec.Parser
		p.Reset(c)
		ev, n, err := p.Next(bytes.Clone(wire))
		if h.Opcode == codec.OpText && !utf8.Valid(octets) {
			return // refused: FuzzUTF8's business
		}
		if err != nil || n != len(wire) || ev.Opcode != h.Opcode || !ev.First || !ev.Last || !bytes.Equal(ev.Payload, octets) {
			t.Fatalf("%+v, %d of %d, %v", ev, n, len(wire), err)
		}
		if !h.Masked && h.Opcode != codec.OpContinuation {
			prepared := codec.NewPreparedFrame(h.Opcode, octets)
			if !bytes.Equal(prepared.Frame(), wire) || !bytes.Equal(prepared.Payload(), octets) {
				t.Fatalf("prepared % .50x, want % .50x", prepared.Frame(), wire)
			}
		}
	})
}

// rewrite reads octets as frames, as far as they are, and writes each again.
func rewrite(t *testing.T, octets []byte) {
	for len(octets) > 0 {
		h, n, err := codec.ParseHeader(octets)
		if err != nil || n == 0 {
			return
		}
		if again := codec.AppendHeader(nil, h); !bytes.Equal(again, octets[:n]) {
			t.Fatalf("% x is written again as % x", octets[:n], again)
		}
		if h.PayloadLength > int64(len(octets)-n) {
			return
		}
		size := n + int(h.PayloadLength)
		payload := bytes.Clone(octets[n:size])
		if h.Masked {
			for i := range payload {
				payload[i] ^= h.MaskingKey[i%4]
			}
		}
		if again := codec.AppendFrame(nil, h, payload); !bytes.Equal(again, octets[:size]) {
			t.Fatalf("% .100x is written again as % .100x", octets[:size], again)
		}
		octets = octets[size:]
	}
}

// FuzzUTF8: text passes if and only if unicode/utf8 finds it valid, whatever
// fragments and reads cut it; what is handed on before a fault is a prefix, and
// nothing of that is at fault by itself. Hazard 11.
func FuzzUTF8(f *testing.F) {
	for i, text := range []string{"", "Hello", "κόσμε", "\x00\x7f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xc0\xaf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "a\xe2b", "ASCII of sixteen, and more, then \xf0\x9f\x98", "\xff", "ééééééé.\xe2ASCII behind a block of sixteen"} {
		f.Add([]byte(text), []byte{byte(i), 1}, []byte{byte(2 * i), 1, 1})
	}
	f.Fuzz(func(t *testing.T, text, fragments, steps []byte) {
		var wire []byte
		head, low := 0, 0
		bounds := chunks(len(text), fragments)
		for i, high := range append(bounds, len(text)) {
			h := codec.Header{FIN: i == len(bounds), Masked: true, MaskingKey: mask.Key{1, 2, 4, byte(i)}}
			if i == 0 {
				h.Opcode = codec.OpText
			}
			wire = codec.AppendFrame(wire, h, text[low:high])
			low = high
		}
		if len(bounds) == 0 {
			head = len(wire) - len(text)
		}
		got, err := oracle.Replay(codec.Config{}, wire, chunks(len(wire), steps)...)
		if err != nil {
			t.Fatal(err)
		}
		if valid := utf8.Valid(text); valid != (got.Rule == 0) || !valid && got.Rule != codec.RuleTextUTF8 {
			t.Fatalf("valid %v, but rule %v at %d", valid, got.Rule, got.Offset)
		}
		// One message, in one run, as there are no control frames.
		if len(got.Events) != 1 || !bytes.HasPrefix(text, got.Events[0].Payload) || (got.Rule == 0) != (len(text) == len(got.Events[0].Payload) && got.Events[0].Last) {
			t.Fatalf("events %v of %q", got.Events, text)
		}
		if got.Rule != 0 && head > 0 && got.Offset != int64(head+len(got.Events[0].Payload)) {
			t.Fatalf("%d octets are handed on, the fault is at %d", len(got.Events[0].Payload), got.Offset)
		}
	})
}

// FuzzClose: a close frame passes if and only if its code may be sent and its
// reason is UTF-8; and what may be received may be sent. Hazard 10.
func FuzzClose(f *testing.F) {
	for _, payload := range []string{"", "\x03", "\x03\xe8", "\x03\xe9bye", "\x03\xed", "\x0b\xb8", "\x13\x88", "\xff\xff", "\x03\xe8\xff", "\x03\xe8\xe2b", "\x03\xe8\xc3"} {
		f.Add([]byte(payload), []byte{7, 1, 1})
	}
	f.Fuzz(func(t *testing.T, payload, steps []byte) {
		payload = payload[:min(len(payload), 125)]
		code, reason := codec.CloseNoStatus, []byte(nil)
		want := codec.Rule(0)
		switch {
		case len(payload) == 1:
			want = codec.RuleClosePayload
		case len(payload) > 1:
			code, reason = codec.CloseCode(payload[0])<<8|codec.CloseCode(payload[1]), payload[2:]
			legal := code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
			if !legal {
				want = codec.RuleCloseCode
			} else if !utf8.Valid(reason) {
				want = codec.RuleCloseReasonUTF8
			}
		}
		wire := codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: codec.OpClose, Masked: true, MaskingKey: mask.Key{9, 2, 4, 1}}, payload)
		got, err := oracle.Replay(codec.Config{}, wire, chunks(len(wire), steps)...)
		if err != nil || got.Rule != want {
			t.Fatalf("% x: %v, want %v; %v", payload, got.Rule, want, err)
		}
		if want == 0 && (len(got.Events) != 1 || !bytes.Equal(got.Events[0].Payload, payload)) {
			t.Fatalf("% x: %v", payload, got.Events)
		}
		if parsed, rest := codec.ParseClose(payload); parsed != code || !bytes.Equal(rest, reason) {
			t.Fatalf("% x: ParseClose %d %q", payload, parsed, rest)
		}
		again, err := codec.AppendClosePayload(nil, code, string(reason))
		if code != codec.CloseNoStatus && ((want == 0) != (err == nil) || err == nil && !bytes.Equal(again, payload)) {
			t.Fatalf("% x is written again as % x, %v", payload, again, err)
		}
		frame, err := codec.AppendClose(nil, code, string(reason))
		if err == nil && !bytes.Equal(frame, codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: codec.OpClose}, again)) {
			t.Fatalf("% x: frame % x", payload, frame)
		}
	})
}
