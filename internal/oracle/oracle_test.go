package oracle

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hybi-go/hybi/codec"
)

// The oracle is held to the table, which was written by hand from the RFC, so
// that it does not merely agree with the codec.
func TestCases(t *testing.T) {
	names := map[string]bool{}
	seen := map[codec.Role]map[codec.Rule]bool{codec.Server: {}, codec.Client: {}}
	for _, c := range Cases() {
		if names[c.Name] {
			t.Errorf("%s: two cases of this name", c.Name)
		}
		names[c.Name] = true
		seen[c.Role][c.Rule] = true
		got := Decode(c.Role, c.MaxMessage, c.MaxFragments, []byte(c.Wire))
		if got.Rule != c.Rule || got.Offset != int64(c.At) {
			t.Errorf("%s: %v at %d, want %v at %d", c.Name, got.Rule, got.Offset, c.Rule, c.At)
		}
		if events := Strings(got.Events); events != c.Want {
			t.Errorf("%s: %.300s, want %.300s", c.Name, events, c.Want)
		}
	}
	for rule := codec.Rule(1); rule < codec.NumRules; rule++ {
		if !seen[codec.Server][rule] && rule != codec.RuleMasked {
			t.Errorf("no case breaks %v to a server", rule)
		}
		if !seen[codec.Client][rule] && rule != codec.RuleUnmasked {
			t.Errorf("no case breaks %v to a client", rule)
		}
	}
}

// hopeless searches; here it is held to the ranges of RFC 3629 §4 as they stand
// there, for every beginning of three octets and every room.
func TestHopelessAgreesWithTheGrammar(t *testing.T) {
	type span [2]byte
	tail := span{0x80, 0xBF}
	grammar := [][]span{
		{{0x00, 0x7F}},
		{{0xC2, 0xDF}, tail},
		{{0xE0, 0xE0}, {0xA0, 0xBF}, tail}, {{0xE1, 0xEC}, tail, tail},
		{{0xED, 0xED}, {0x80, 0x9F}, tail}, {{0xEE, 0xEF}, tail, tail},
		{{0xF0, 0xF0}, {0x90, 0xBF}, tail, tail}, {{0xF1, 0xF3}, tail, tail, tail},
		{{0xF4, 0xF4}, {0x80, 0x8F}, tail, tail},
	}
	bounds := []byte{0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
		0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}
	var check func(seq []byte)
	check = func(seq []byte) {
		for room := range uint64(5) {
			want := true
			for _, production := range grammar {
				match := len(seq) <= len(production) && uint64(len(production)-len(seq)) <= room
				for i := 0; match && i < len(seq); i++ {
					match = seq[i] >= production[i][0] && seq[i] <= production[i][1]
				}
				want = want && !match
			}
			if got := hopeless(seq, room); got != want {
				t.Errorf("hopeless(% x, %d) = %v, want %v", seq, room, got, want)
			}
		}
		if len(seq) == 4 || utf8.Valid(seq) {
			return // the decoder never asks beyond a boundary
		}
		for _, octet := range bounds {
			check(append(seq[:len(seq):len(seq)], octet))
		}
	}
	for octet := range 256 {
		check([]byte{byte(octet)})
	}
}

func TestMask(t *testing.T) {
	// RFC 6455 §5.7, both ways.
	wire, at := Mask("\x81\x05Hello", 2, [4]byte{0x37, 0xfa, 0x21, 0x3d})
	if wire != "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" || at != 6 {
		t.Errorf("%q, %d", wire, at)
	}
	wire, at = Mask("\x81\x7e\x00", 2, [4]byte{1, 2, 3, 4})
	if wire != "\x81\xfe\x00" || at != 2 {
		t.Errorf("%q, %d", wire, at)
	}
}

func TestDiffTells(t *testing.T) {
	one := Result{Events: []Event{{codec.OpText, []byte("a"), true, true}}, Offset: 3}
	for name, other := range map[string]Result{
		"rule":        {Events: one.Events, Offset: 3, Rule: codec.RuleMasked},
		"want at":     {Events: one.Events, Offset: 4},
		"want none":   {Offset: 3},
		`want text["`: {Events: []Event{{codec.OpText, []byte("b"), true, true}}, Offset: 3},
		`want ping["`: {Events: []Event{{codec.OpPing, []byte("a"), true, true}}, Offset: 3},
		`want text…"`: {Events: []Event{{codec.OpText, []byte("a"), false, true}}, Offset: 3},
	} {
		if diff := Diff(one, other); !strings.Contains(diff, name) {
			t.Errorf("Diff: %q does not say %q", diff, name)
		}
	}
	if diff := Diff(one, one); diff != "" {
		t.Error(diff)
	}
}
