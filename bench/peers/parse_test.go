package peers

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/hybi-go/hybi/codec"
)

var parseSizes = []int{16, 64, 125, 1024, 4096, 65536}

// A parseImpl takes a wire's frames apart and unmasks them; text is checked to be
// UTF-8.
type parseImpl struct {
	name string

	// start makes ready outside of what is measured and returns a function, to be
	// called once, that parses the wire's frames so many times, each time from octets
	// that have been copied from the wire. It shows each payload to see, if that is
	// not nil, and returns the number of frames.
	start func(tb testing.TB, w *wire, text bool, see func(payload []byte)) (run func(passes int) (frames int))
}

var parseImpls = []parseImpl{
	{"refill", startRefill},
	{"hybi", startHybi},
	{"hybi-batch", startHybiBatch},
	{"gobwas", startGobwas},
	{"gobwas-checked", startGobwasChecked},
	{"gorilla", startGorilla},
	{"fasthttp", startFasthttp},
	{"gws", startGws},
	{"nbio", startNbio},
	{"coder", startCoder},
	{"xnet", startXnet},
}

// inPlace is start's for who parses a buffer: parse is given it full of masked
// frames. It shows to see what is left in the buffer, after the last pass.
func inPlace(tb testing.TB, w *wire, see func([]byte), parse func(in []byte) (frames int, err error)) func(int) int {
	in := make([]byte, len(w.octets))
	return func(passes int) (frames int) {
		for range passes {
			copy(in, w.octets)
			n, err := parse(in)
			if err != nil {
				tb.Fatal(err)
			}
			frames += n
		}
		if see != nil {
			see(in)
		}
		return frames
	}
}

// startRefill copies and nothing else: what all the others do besides.
func startRefill(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	return inPlace(tb, w, see, func(in []byte) (int, error) { return len(w.payloads), nil })
}

func startHybi(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	var p codec.Parser
	return inPlace(tb, w, see, func(in []byte) (frames int, err error) {
		for len(in) > 0 {
			_, n, err := p.Next(in)
			if err != nil {
				return frames, err
			}
			in = in[n:]
			frames++
		}
		return frames, nil
	})
}

// startHybiBatch is NextRun, and Next for what is no run.
func startHybiBatch(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	var p codec.Parser
	spans := make([]codec.Span, 64)
	return inPlace(tb, w, see, func(in []byte) (frames int, err error) {
		for len(in) > 0 {
			k, n := p.NextRun(in, spans)
			in = in[n:]
			if frames += k; k > 0 {
				continue
			}
			if _, n, err = p.Next(in); err != nil {
				return frames, err
			}
			in = in[n:]
			frames++
		}
		return frames, nil
	})
}

func startGobwas(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	var r bytes.Buffer // the fastest of the readers tried: bytes.Reader, one of our own
	scratch := make([]byte, ws.MaxHeaderSize)
	return inPlace(tb, w, see, func(in []byte) (frames int, err error) {
		for r = *bytes.NewBuffer(in); r.Len() > 0; frames++ {
			h, err := ws.ReadHeaderBuffer(&r, scratch)
			if err != nil {
				return frames, err
			}
			if h.Length > int64(r.Len()) {
				return frames, io.ErrUnexpectedEOF
			}
			payload := r.Next(int(h.Length))
			ws.Cipher(payload, h.Mask, 0)
			if h.OpCode == ws.OpText && !utf8.Valid(payload) {
				return frames, errUTF8
			}
		}
		return frames, nil
	})
}

// startGobwasChecked adds gobwas's own checks of the header, which hybi always does.
// Written out again, so that the other has not even a branch for it.
func startGobwasChecked(tb testing.TB, w *wire, text bool, see func([]byte)) func(int) int {
	var r bytes.Buffer
	scratch := make([]byte, ws.MaxHeaderSize)
	return inPlace(tb, w, see, func(in []byte) (frames int, err error) {
		for r = *bytes.NewBuffer(in); r.Len() > 0; frames++ {
			h, err := ws.ReadHeaderBuffer(&r, scratch)
			if err != nil {
				return frames, err
			}
			if err := ws.CheckHeader(h, ws.StateServerSide); err != nil {
				return frames, err
			}
			if h.Length > int64(r.Len()) {
				return frames, io.ErrUnexpectedEOF
			}
			payload := r.Next(int(h.Length))
			ws.Cipher(payload, h.Mask, 0)
			if h.OpCode == ws.OpText && !utf8.Valid(payload) {
				return frames, errUTF8
			}
		}
		return frames, nil
	})
}

// BenchmarkParse parses a buffer full of a client's frames, which is filled anew by
// a copy for each pass; impl=refill is that copy alone, to be subtracted. The
// libraries that own their reading get the same copy into their own read buffer.
// Compare with benchstat -col /impl.
func BenchmarkParse(b *testing.B) {
	for _, op := range []codec.Opcode{codec.OpBinary, codec.OpText} {
		for _, size := range parseSizes {
			w := newWire(op, size)
			for _, impl := range parseImpls {
				b.Run(fmt.Sprintf("impl=%s/type=%v/size=%d", impl.name, op, size), func(b *testing.B) {
					run := impl.start(b, w, op == codec.OpText, nil)
					b.SetBytes(int64(len(w.octets)))
					b.ReportAllocs()
					b.ResetTimer()
					frames := run(b.N)
					if frames != b.N*len(w.payloads) {
						b.Fatalf("%d frames, not %d", frames, b.N*len(w.payloads))
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/frame")
					b.ReportMetric(float64(frames)/b.Elapsed().Seconds(), "frames/s")
				})
			}
		}
	}
}

// What is measured parses: all frames of every pass, and each payload as it was
// before it was masked.
func TestParse(t *testing.T) {
	const passes = 3
	for _, op := range []codec.Opcode{codec.OpBinary, codec.OpText} {
		for _, size := range parseSizes {
			w := newWire(op, size)
			for _, impl := range parseImpls {
				t.Run(fmt.Sprintf("impl=%s/type=%v/size=%d", impl.name, op, size), func(t *testing.T) {
					var seen [][]byte
					run := impl.start(t, w, op == codec.OpText, func(b []byte) { seen = append(seen, bytes.Clone(b)) })
					if frames := run(passes); frames != passes*len(w.payloads) {
						t.Fatalf("%d frames, not %d", frames, passes*len(w.payloads))
					}
					want := w.payloads
					switch {
					case impl.name == "refill":
						want = [][]byte{w.octets}
					case len(seen) == 1:
						want = [][]byte{w.unmasked()} // the buffer
					default:
						want = append(append(append([][]byte{}, want...), want...), want...)
					}
					if len(seen) != len(want) {
						t.Fatalf("%d payloads, not %d", len(seen), len(want))
					}
					for i := range want {
						if !bytes.Equal(seen[i], want[i]) {
							t.Fatalf("payload %d is %.40q, not %.40q", i, seen[i], want[i])
						}
					}
				})
			}
		}
	}
}

// Text is checked by all: a wire with one frame that is not UTF-8 must not pass.
func TestParseRefusesText(t *testing.T) {
	w := newWire(codec.OpText, 64)
	w.octets[len(w.octets)-1] ^= 0x80 // masked or not, the same bit
	for _, impl := range parseImpls {
		if impl.name == "refill" {
			continue
		}
		t.Run("impl="+impl.name, func(t *testing.T) {
			probe := &fatalProbe{TB: t}
			frames := 0
			done := make(chan struct{})
			go func() { // so that Fatal can end it
				defer close(done)
				frames = impl.start(probe, w, true, nil)(1)
			}()
			<-done
			if !probe.failed && frames == len(w.payloads) {
				t.Error("text that is not UTF-8 is not noticed")
			}
		})
	}
}

// A fatalProbe stands for the testing.TB of what is expected to fail.
type fatalProbe struct {
	testing.TB
	failed bool
}

func (p *fatalProbe) Fatal(...any) {
	p.failed = true
	runtime.Goexit()
}
