package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/hybi-go/hybi/codec"
)

// Replay gives stream to a new Parser in chunks that end at cuts, ascending
// offsets, and at the stream's end. What the parser leaves is given again, ahead
// of the next chunk. The error tells where the parser broke its contract; whether
// it decoded rightly is for the caller to compare. The stream is played twice, by
// Next alone and by runs of short frames where there are any; that the two do not
// differ is part of the contract.
func Replay(c codec.Config, stream []byte, cuts ...int) (Result, error) {
	r, err := play(c, stream, false, cuts)
	if err != nil {
		return r, err
	}
	byRuns, err := play(c, stream, true, cuts)
	if err != nil {
		return r, fmt.Errorf("by runs: %w", err)
	}
	if diff := Diff(byRuns, r); diff != "" {
		return r, fmt.Errorf("by runs, against Next alone: %s", diff)
	}
	return r, nil
}

func play(c codec.Config, stream []byte, runs bool, cuts []int) (Result, error) {
	r := replay{stream: stream, memory: bytes.Clone(stream)}
	r.parser.Reset(c)
	for _, cut := range append(cuts[:len(cuts):len(cuts)], len(stream)) {
		for r.Rule == 0 {
			if runs {
				if err := r.run(cut); err != nil {
					return r.Result, fmt.Errorf("input [%d:%d] after %d events: %w", r.low, cut, len(r.Events), err)
				}
			}
			more, err := r.next(cut)
			if err != nil {
				return r.Result, fmt.Errorf("input [%d:%d] after %d events: %w", r.low, cut, len(r.Events), err)
			}
			if !more {
				break
			}
		}
	}
	r.Offset = r.parser.InputOffset()
	return r.Result, nil
}

// A replay is a Parser over the octets [low:cut] of memory, where the payloads
// that lie before low have been unmasked.
type replay struct {
	parser         codec.Parser
	stream, memory []byte
	low            int
	Result
}

// next makes one call and reports whether it brought an event.
func (r *replay) next(cut int) (more bool, err error) {
	in := r.memory[r.low:cut:cut]
	ev, n, err := r.parser.Next(in)
	if n < 0 || n > len(in) {
		return false, fmt.Errorf("took %d of %d octets", n, len(in))
	}
	r.low += n
	if r.parser.InputOffset() != int64(r.low) {
		return false, fmt.Errorf("InputOffset %d after %d octets", r.parser.InputOffset(), r.low)
	}
	// Nobody reads far past a frame; to compare all would be quadratic.
	if end := min(cut, r.low+512); !bytes.Equal(r.memory[r.low:end], r.stream[r.low:end]) {
		return false, errors.New("octets behind the prefix were changed")
	}
	if err != nil {
		return false, r.failed(ev, err, cut)
	}
	if ev.Opcode == 0 {
		if ev.Payload != nil || ev.First || ev.Last {
			return false, fmt.Errorf("no event, but not zero: %+v", ev)
		}
		if rest := cut - r.low; rest >= codec.MaxControlSize {
			return false, fmt.Errorf("%d octets left over", rest)
		}
		return false, nil
	}
	if n == 0 {
		return false, errors.New("an event from no octet")
	}
	if !ev.Opcode.IsData() && (ev.Opcode.IsReserved() || ev.Opcode == codec.OpContinuation || !ev.First || !ev.Last) {
		return false, fmt.Errorf("strange event %+v", ev)
	}
	if size := len(ev.Payload); cap(ev.Payload) != size || size > n || size > 0 && &ev.Payload[0] != &in[n-size] {
		return false, errors.New("payload is not the end of the prefix, capacity clipped")
	}
	r.Events = Join(r.Events, Event{ev.Opcode, ev.Payload, ev.First, ev.Last})
	return true, nil
}

// run takes a run, if there is one, gives some of it back and takes that again.
func (r *replay) run(cut int) error {
	in := r.memory[r.low:cut:cut]
	var spans [7]codec.Span
	k, n := r.parser.NextRun(in, spans[:])
	if k == 0 {
		if n != 0 || !bytes.Equal(in, r.stream[r.low:cut]) {
			return fmt.Errorf("no run, but %d octets taken, or some changed", n)
		}
		return nil
	}
	if back := r.low % (k + 1); back > 0 {
		from := r.parser.UnreadRun(in, spans[k-back:k])
		if !bytes.Equal(in[from:], r.stream[r.low+from:cut]) || r.parser.InputOffset() != int64(r.low+from) {
			return fmt.Errorf("the last %d of a run of %d are given back changed, or to %d", back, k, r.parser.InputOffset())
		}
		again, size := r.parser.NextRun(in[from:], spans[k-back:k])
		if again != back || from+size != n {
			return fmt.Errorf("%d of %d frames given back, %d taken again, of %d octets", back, k, again, size)
		}
		for i := range spans[k-back : k] {
			spans[k-back+i].Start += uint32(from)
			spans[k-back+i].End += uint32(from)
		}
	}
	at := 0
	for _, s := range spans[:k] {
		payload := s.Payload(in)
		if int(s.Start) != at+6 || cap(payload) != len(payload) {
			return fmt.Errorf("span %+v, the frame begins at %d", s, at)
		}
		at = int(s.End)
		r.Events = Join(r.Events, Event{s.Opcode, payload, true, true})
	}
	r.low += n
	if at != n || r.parser.InputOffset() != int64(r.low) {
		return fmt.Errorf("a run of %d octets ends at %d, InputOffset is %d", n, at, r.parser.InputOffset())
	}
	if end := min(cut, r.low+512); !bytes.Equal(r.memory[r.low:end], r.stream[r.low:end]) {
		return errors.New("octets behind the run were changed")
	}
	return nil
}

// failed checks that an error is as it should be, and stays.
func (r *replay) failed(ev codec.Event, err error, cut int) error {
	var broken *codec.ProtocolError
	if !errors.As(err, &broken) || broken.Rule == 0 || int(broken.Rule) >= codec.NumRules {
		return fmt.Errorf("not a ProtocolError: %w", err)
	}
	if ev.Opcode != 0 || ev.Payload != nil || ev.First || ev.Last {
		return fmt.Errorf("event %+v with %w", ev, err)
	}
	r.Rule = broken.Rule
	at := r.parser.InputOffset()
	for _, in := range [][]byte{nil, r.memory[r.low:cut], r.memory[r.low:]} {
		ev, n, again := r.parser.Next(in)
		if again != err || n != 0 || ev.Opcode != 0 || r.parser.InputOffset() != at {
			return fmt.Errorf("%w is not permanent: then event %+v, %d octets, %w", err, ev, n, again)
		}
	}
	if !bytes.Equal(r.memory[r.low:], r.stream[r.low:]) {
		return errors.New("octets behind an error were changed")
	}
	return nil
}

// Diff says how two results differ; "" is not at all.
func Diff(got, want Result) string {
	if got.Rule != want.Rule {
		return fmt.Sprintf("rule %v at %d, want %v at %d", got.Rule, got.Offset, want.Rule, want.Offset)
	}
	if got.Offset != want.Offset {
		return fmt.Sprintf("%v at %d, want at %d", got.Rule, got.Offset, want.Offset)
	}
	for i := range max(len(got.Events), len(want.Events)) {
		switch {
		case i >= len(got.Events):
			return fmt.Sprintf("event %d: none, want %.200v", i, want.Events[i])
		case i >= len(want.Events):
			return fmt.Sprintf("event %d: %.200v, want none", i, got.Events[i])
		}
		g, w := got.Events[i], want.Events[i]
		if g.Opcode != w.Opcode || g.First != w.First || g.Last != w.Last || !bytes.Equal(g.Payload, w.Payload) {
			return fmt.Sprintf("event %d: %.200v, want %.200v", i, g, w)
		}
	}
	return ""
}

// Strings writes events as a Case's Want does.
func Strings(events []Event) string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = e.String()
	}
	return strings.Join(all, " ")
}
