//go:build !purego

package codec

import (
	"strings"
	"testing"

	"github.com/hybi-go/hybi/mask"
)

// NextRun hides whether the assembly did anything: so ask it by itself. It takes
// every length but those of 1 to 3 octets, and text only while it is ASCII.
func TestShortFramesAssembly(t *testing.T) {
	if !useAVX2 {
		t.Log("codec: not tested on this machine: shortFramesAVX2")
		return
	}
	for size := range 126 {
		var wire []byte
		for i, payload := range []string{strings.Repeat("\xE4", size), strings.Repeat("a", size), strings.Repeat("a", max(size-1, 0)) + "\xC3"} {
			h := Header{FIN: true, Opcode: OpText, Masked: true, MaskingKey: mask.Key{1, 2, 0x84, byte(size)}}
			if i == 0 {
				h.Opcode = OpBinary
			}
			wire = AppendFrame(wire, h, []byte(payload))
		}
		var spans [4]Span
		k, at := shortFrames(wire, 0, spans[:], 125)
		want := 2
		if size >= 1 && size <= 3 {
			want = 0
		}
		if k != want || at != want*(size+6) {
			t.Errorf("%d octets: %d frames, to %d; want %d", size, k, at, want)
		}
		for _, s := range spans[:k] {
			if s.size() != size+6 {
				t.Errorf("%d octets: span %+v", size, s)
			}
		}
		if k, _ := shortFrames(wire[:6+size], 0, spans[:], size-1); k != 0 {
			t.Errorf("%d octets: above the limit, but taken", size)
		}
	}
}
