package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// spellings of octets that parseHex must read.
var spellings = []struct {
	name  string
	spell func(b []byte) string
}{
	{"together", func(b []byte) string { return hex.EncodeToString(b) }},
	{"upper case", func(b []byte) string { return fmt.Sprintf("%X", b) }},
	{"spaces", func(b []byte) string { return fmt.Sprintf("% x", b) }},
	{"colons", func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% X", b), " ", ":") }},
	{"hyphens", func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", "-") }},
	{"lines", func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", "\r\n\t") }},
	{"one 0x", func(b []byte) string { return fmt.Sprintf("%#x", b) }},
	{"0x each", func(b []byte) string { return fmt.Sprintf("%# x", b) }},
	{"0X each", func(b []byte) string { return fmt.Sprintf("%# X", b) }},
	{"0x and commas", func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("%# x", b), " ", ",") }},
	{"an array of C", func(b []byte) string { return "{ " + strings.ReplaceAll(fmt.Sprintf("%# x", b), " ", ", ") + ", };\n" }},
	{"a list of Python", func(b []byte) string { return "[" + strings.ReplaceAll(fmt.Sprintf("%# x", b), " ", ", ") + "]" }},
	{`\x each`, func(b []byte) string {
		return strings.ReplaceAll(fmt.Sprintf("% x", append([]byte{0}, b...))[2:], " ", `\x`)
	}},
}

func TestParseHexSpellings(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, octets := range [][]byte{{}, {0x81}, {0x81, 0x8c, 0xff, 0x0a}, all} {
		for _, s := range spellings {
			text := s.spell(octets)
			if len(octets) == 0 && strings.HasPrefix(text, "0x") {
				continue
			}
			if got, err := parseHex([]string{text}); err != nil || !bytes.Equal(got, octets) {
				t.Errorf("%s: parseHex(%q) = % x, %v", s.name, text, got, err)
			}
			args := strings.Fields(text)
			if got, err := parseHex(args); err != nil || !bytes.Equal(got, octets) {
				t.Errorf("%s: parseHex(%q) = % x, %v", s.name, args, got, err)
			}
		}
	}
}

func TestParseHexErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"8"}, "argument 1, character 1: an odd number of hex digits (1)"},
		{[]string{"8", "1"}, "argument 1, character 1: an odd number of hex digits (1)"},
		{[]string{"81", "8c 818 ff"}, "argument 2, character 4: an odd number of hex digits (3)"},
		{[]string{"0x8"}, "argument 1, character 3: an odd number of hex digits (1)"},
		{[]string{"810x8c"}, "argument 1, character 1: an odd number of hex digits (3)"},
		{[]string{`\x81\x`}, "argument 1, character 7: hex digits are missing at the end"},
		{[]string{"0x,81"}, `argument 1, character 3: "," is not a hex digit`},
		{[]string{"81 8g"}, "argument 1, character 4: an odd number of hex digits (1)"},
		{[]string{"81 g8"}, `argument 1, character 4: "g" is not a hex digit`},
		{[]string{"81ü"}, `argument 1, character 3: "ü" is not a hex digit`},
		{[]string{`\81`}, `argument 1, character 1: "\\" is not a hex digit`},
		{[]string{`\x81\n`}, `argument 1, character 5: "\\" is not a hex digit`},
		{[]string{"81.8c"}, `argument 1, character 3: "." is not a hex digit`},
		{[]string{"81\x00"}, `argument 1, character 3: "\x00" is not a hex digit`},
		{[]string{"８１"}, `argument 1, character 1: "８" is not a hex digit`},
		{[]string{"00 é0"}, `argument 1, character 4: "é" is not a hex digit`},
		{[]string{"x81"}, `argument 1, character 1: "x" is not a hex digit`},
	} {
		got, err := parseHex(c.args)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || got != nil {
			t.Errorf("parseHex(%q) = % x, %v; want %s", c.args, got, err, c.want)
		}
	}
}

// FuzzHexInput: what is accepted is the octets of its digits, in order, and reads
// the same in every other spelling; what is refused is refused with its place.
func FuzzHexInput(f *testing.F) {
	for _, s := range spellings {
		f.Add(s.spell([]byte("\x81\x8c\xff\xb8")))
	}
	for _, s := range []string{"", "8", "0x", `\x`, "0x81 0x8", "810x8c", "0x0x81", "81\xff", "{0X81;}", "ü"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		octets, err := parseHex([]string{text})
		if err != nil {
			var at int
			if n, _ := fmt.Sscanf(err.Error(), "argument 1, character %d:", &at); n != 1 || at < 1 || at > len([]rune(text))+1 {
				t.Fatalf("parseHex(%q): no place in %q", text, err)
			}
			safe(t, err.Error())
			return
		}
		digits := strings.NewReplacer("0x", "", "0X", "", `\x`, "", `\X`, "").Replace(text)
		digits = strings.Map(func(r rune) rune {
			if strings.ContainsRune(hexSeparators, r) {
				return -1
			}
			return r
		}, digits)
		if want, err := hex.DecodeString(digits); err != nil || !bytes.Equal(octets, want) {
			t.Fatalf("parseHex(%q) = % x, want % x, %v", text, octets, want, err)
		}
		if len(octets) == 0 {
			return
		}
		for _, s := range spellings {
			if again, err := parseHex([]string{s.spell(octets)}); err != nil || !bytes.Equal(again, octets) {
				t.Fatalf("%s: parseHex(%q) = % x, %v; want % x", s.name, s.spell(octets), again, err, octets)
			}
		}
	})
}
