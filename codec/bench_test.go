package codec

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/mask"
)

// Benchmarks parse the frames of a 64 KiB buffer as they come from the wire. As
// the parser unmasks in place, the buffer is filled again by copy for each
// pass; BenchmarkRefill is that copy alone, to be subtracted.
const benchBuffer = 64 << 10

// wireOf returns as many masked frames of a message of size octets as the
// buffer holds, each with another key.
func wireOf(op Opcode, size int) (wire []byte, frames int) {
	payload := []byte(strings.Repeat("text of ASCII; ", size/15+1)[:size])
	h := Header{FIN: true, Opcode: op, Masked: true, PayloadLength: int64(size)}
	for len(wire)+len(AppendHeader(nil, h))+size <= benchBuffer {
		h.MaskingKey = mask.Key{byte(frames*7 + 1), byte(frames*13 + 5), byte(frames >> 8), 0x5A}
		wire = AppendFrame(wire, h, payload)
		frames++
	}
	return wire, frames
}

// parseAll is a caller's loop. It is a function of its own because b.Loop keeps
// what its body computes from being optimised, which cost 1.4 ns a frame.
func parseAll(p *Parser, in []byte) (frames int, err error) {
	for len(in) > 0 {
		_, n, err := p.Next(in)
		if err != nil {
			return frames, err
		}
		frames++
		in = in[n:]
	}
	return frames, nil
}

func BenchmarkParse(b *testing.B) {
	for _, op := range []Opcode{OpBinary, OpText} {
		for _, size := range []int{16, 64, 125, 1024, 4096} {
			b.Run(fmt.Sprintf("type=%v/size=%d", op, size), func(b *testing.B) {
				wire, frames := wireOf(op, size)
				in := make([]byte, len(wire))
				var p Parser
				b.SetBytes(int64(len(wire)))
				b.ReportAllocs()
				for b.Loop() {
					copy(in, wire)
					if n, err := parseAll(&p, in); n != frames || err != nil {
						b.Fatal(n, err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/frame")
			})
		}
	}
}

// BenchmarkParseMixed is BenchmarkParse of frames whose lengths no branch predictor
// can know: each from 1 to max octets, drawn anew for 64 buffers that take turns.
func BenchmarkParseMixed(b *testing.B) {
	for _, op := range []Opcode{OpBinary, OpText} {
		for _, most := range []int{32, 125, 1024} {
			for _, form := range []string{"next", "run"} {
				b.Run(fmt.Sprintf("form=%s/type=%v/max=%d", form, op, most), func(b *testing.B) {
					benchmarkParseMixed(b, op, most, form == "run")
				})
			}
		}
	}
}

func benchmarkParseMixed(b *testing.B, op Opcode, most int, runs bool) {
	rng := rand.New(rand.NewPCG(6, 455))
	text := []byte(strings.Repeat("text of ASCII; ", most/15+1))
	var wires [64][]byte
	var in []byte
	octets := 0
	for i := range wires {
		wire := make([]byte, 0, benchBuffer)
		for len(wire)+MaxHeaderSize+most <= benchBuffer {
			h := Header{FIN: true, Opcode: op, Masked: true, MaskingKey: mask.Key{byte(len(wire)), 13, 5, 0x5A}}
			wire = AppendFrame(wire, h, text[:1+rng.IntN(most)])
		}
		wires[i] = wire
		octets += len(wire)
	}
	spans := make([]Span, 64)
	frames := 0
	var p Parser
	b.SetBytes(int64(octets / len(wires)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		in = append(in[:0], wires[i%len(wires)]...)
		parse := parseAll
		if runs {
			parse = func(p *Parser, in []byte) (int, error) { return parseRuns(p, in, spans) }
		}
		n, err := parse(&p, in)
		if err != nil {
			b.Fatal(err)
		}
		frames += n
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/frame")
}

// BenchmarkParseRun is BenchmarkParse by runs of frames in one call.
func BenchmarkParseRun(b *testing.B) {
	for _, op := range []Opcode{OpBinary, OpText} {
		for _, size := range []int{4, 16, 64, 125, 1024} {
			b.Run(fmt.Sprintf("type=%v/size=%d", op, size), func(b *testing.B) {
				wire, frames := wireOf(op, size)
				in := make([]byte, len(wire))
				spans := make([]Span, 64)
				var p Parser
				b.SetBytes(int64(len(wire)))
				b.ReportAllocs()
				for b.Loop() {
					copy(in, wire)
					if n, err := parseRuns(&p, in, spans); n != frames || err != nil {
						b.Fatal(n, err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/frame")
			})
		}
	}
}

func parseRuns(p *Parser, in []byte, spans []Span) (frames int, err error) {
	for len(in) > 0 {
		k, n := p.NextRun(in, spans)
		if k == 0 {
			if _, n, err = p.Next(in); err != nil {
				return frames, err
			}
			k = 1
		}
		frames += k
		in = in[n:]
	}
	return frames, nil
}

// BenchmarkRefill is what the refill costs in BenchmarkParse.
func BenchmarkRefill(b *testing.B) {
	for _, size := range []int{16, 64, 125, 1024, 4096} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			wire, frames := wireOf(OpBinary, size)
			in := make([]byte, len(wire))
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				copy(in, wire)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/frame")
		})
	}
}

// BenchmarkAppend writes a 64 KiB buffer full of frames.
func BenchmarkAppend(b *testing.B) {
	for _, role := range []Role{Server, Client} {
		for _, size := range []int{16, 64, 125, 1024, 4096} {
			b.Run(fmt.Sprintf("role=%v/size=%d", role, size), func(b *testing.B) {
				h := Header{FIN: true, Opcode: OpBinary, Masked: role == Client, MaskingKey: mask.Key{0x37, 0xfa, 0x21, 0x3d}}
				payload := make([]byte, size)
				frames := benchBuffer / (size + MaxHeaderSize)
				out := make([]byte, 0, benchBuffer)
				b.SetBytes(int64(frames * size))
				b.ReportAllocs()
				for b.Loop() {
					out = out[:0]
					for range frames {
						if role == Server {
							out = AppendServerFrame(out, h.Opcode, payload)
						} else {
							out = AppendFrame(out, h, payload)
						}
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/frame")
			})
		}
	}
}

func BenchmarkParseHeader(b *testing.B) {
	for _, c := range []struct {
		name   string
		length int64
	}{{"7", 125}, {"16", 65535}, {"64", 65536}} {
		for _, role := range []Role{Server, Client} {
			b.Run(fmt.Sprintf("to=%v/length=%s", role, c.name), func(b *testing.B) {
				in := AppendHeader(nil, Header{FIN: true, Opcode: OpBinary, Masked: role == Server, PayloadLength: c.length})
				b.ReportAllocs()
				for b.Loop() {
					if _, n, err := ParseHeader(in); n != len(in) || err != nil {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
}
