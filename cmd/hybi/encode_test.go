package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/oracle"
)

// RFC 6455 §5.7, and close frames, ahead and behind.
func TestEncodeGolden(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("payload", []byte("Hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	zeros := strings.Repeat("\x00", 256)
	for _, c := range []struct {
		stdin, want string
		args        []string
	}{
		{"", "810548656c6c6f\n", []string{"-role", "server", "Hello"}},
		{"", "818537fa213d7f9f4d5158\n", []string{"-key", "37fa213d", "Hello"}},
		{"", "010348656c80026c6f\n", []string{"-role", "server", "-fragment", "3", "Hello"}},
		{"", "890548656c6c6f\n", []string{"-role", "server", "-opcode", "ping", "Hello"}},
		{"", "8a8537fa213d7f9f4d5158\n", []string{"-opcode", "pong", "-key", "37:FA:21:3D", "@payload"}},
		{zeros, "827e0100" + strings.Repeat("00", 256) + "\n", []string{"-role", "server", "-opcode", "binary", "-"}},
		{"ignored", "8100\n", []string{"-role", "server"}},
		{"ignored", "818000000000\n", []string{"-key", "00000000", "-fragment", "1", ""}},
		{"Hello\n", "\x81\x06Hello\n", []string{"-role", "server", "-out", "raw", "-"}},
		{"", "880203e8\n", []string{"-role", "server", "-opcode", "close", "-code", "1000"}},
		{"", "88850000000003e8627965\n", []string{"-key", "00000000", "-opcode", "close", "-code", "1000", "bye"}},
		{"", "8800\n", []string{"-role", "server", "-opcode", "close"}},
		{"", "010161000162800163\n", []string{"-role", "server", "-fragment", "1", "abc"}},
		{"", "81022d78\n", []string{"-role", "server", "--", "-x"}},
	} {
		if got, complaint := withStdin(t, c.stdin, append([]string{"encode"}, c.args...)...); got != c.want || complaint != "" {
			t.Errorf("%q: %q %s, want %q", c.args, got, complaint, c.want)
		}
	}
}

// What must not be sent is refused with nothing written.
func TestEncodeRefuses(t *testing.T) {
	long := strings.Repeat("a", 126)
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{1, "text message is not UTF-8", []string{"a\xff"}},
		{1, "text message is not UTF-8", []string{"-fragment", "1", "a\xc3"}},
		{1, "control frame with more than 125 octets", []string{"-opcode", "ping", long}},
		{1, "control frame with more than 125 octets", []string{"-opcode", "pong", "-role", "server", long}},
		{1, "fragmented control frame", []string{"-opcode", "ping", "-fragment", "1", "ab"}},
		{1, "fragmented control frame", []string{"-opcode", "close", "-code", "1000", "-fragment", "1"}},
		{1, "-code 1006 cannot be sent: use 1000", []string{"-opcode", "close", "-code", "1006"}},
		{1, "or -code 1005 without a reason", []string{"-opcode", "close", "-code", "999"}},
		{1, "a close reason needs a code: give one, such as -code 1000", []string{"-opcode", "close", "bye"}},
		{1, "cannot send this close reason", []string{"-opcode", "close", "-code", "1000", long[:124]}},
		{1, "cannot send this close reason", []string{"-opcode", "close", "-code", "1000", "\xff"}},
		{1, "open none", []string{"@none"}},
		{2, "one TEXT", []string{"a", "b"}},
		{2, "-opcode \"continuation\"", []string{"-opcode", "continuation"}},
		{2, "-role \"peer\"", []string{"-role", "peer"}},
		{2, "-out \"base64\"", []string{"-out", "base64"}},
		{2, "-fragment -1", []string{"-fragment", "-1"}},
		{2, "-key: a server masks no frame", []string{"-role", "server", "-key", "00000000"}},
		{2, "8 hex digits", []string{"-key", "000000"}},
		{2, "8 hex digits", []string{"-key", "0000000g"}},
		{2, "16 bits", []string{"-opcode", "close", "-code", "65536"}},
		{2, "only -opcode close", []string{"-code", "1000"}},
		{2, "see `hybi help encode`", []string{"-allow"}},
	} {
		var out, stderr bytes.Buffer
		status := execute(append([]string{"encode"}, c.args...), &out, &stderr)
		if got := stderr.String(); status != c.status || !strings.HasPrefix(got, "hybi: encode: ") || !strings.Contains(got, c.want) ||
			strings.Count(got, "\n") != 1 || strings.Count(got, "hybi: ") != 1 || out.Len() > 0 {
			t.Errorf("%.200q: status %d, %q, output %.100q; want %d, %q", c.args, status, got, &out, c.status, c.want)
		}
	}
}

// What encode writes is the message that it was given, to the oracle and to decode,
// over opcodes, roles, fragments and every size at which the header changes.
func TestEncodeRoundTrip(t *testing.T) {
	for opcode, op := range opcodes {
		for role, sender := range roles {
			for _, size := range []int{0, 1, 123, 125, 126, 65535, 65536} {
				for _, fragment := range []int{0, 1, 125, 126, 65535, 65536} {
					if op.IsControl() && (size > 125 || fragment > 0 || op == codec.OpClose && size > 123) || fragment == 1 && size > 126 {
						continue
					}
					name := fmt.Sprintf("%s of %d from a %s in fragments of %d", opcode, size, role, fragment)
					payload := strings.Repeat("x", size)
					o := encodeOptions{opcode: opcode, role: role, fragment: fragment, code: uint(codec.CloseNoStatus), out: "raw"}
					if op == codec.OpClose {
						o.code = 4999
					}
					var wire, spelt bytes.Buffer
					if err := o.run([]string{"-"}, strings.NewReader(payload), &wire); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					want := payload
					if op == codec.OpClose {
						want = "\x13\x87" + payload
					}
					message := oracle.Event{Opcode: op, Payload: []byte(want), First: true, Last: true}
					result := oracle.Decode(receiver(sender), 0, 0, wire.Bytes())
					if got := oracle.Strings(result.Events); result.Rule != 0 || got != message.String() || int(result.Offset) != wire.Len() {
						t.Errorf("%s: the oracle reads rule %v at %d, %.100s", name, result.Rule, result.Offset, got)
					}
					checkDecode(t, name, &o, wire.String(), size)
					if o.role == "server" {
						o.out = "hex"
						if err := o.run([]string{"-"}, strings.NewReader(payload), &spelt); err != nil || spelt.String() != hex.EncodeToString(wire.Bytes())+"\n" {
							t.Errorf("%s: hex differs from raw: %v", name, err)
						}
					}
				}
			}
		}
	}
}

// checkDecode holds what decode shows against what encode was told.
func checkDecode(t *testing.T, name string, o *encodeOptions, wire string, size int) {
	t.Helper()
	got, err := runDecode(decodeOptions{max: 1 << 20}, strings.NewReader(wire))
	if err != nil {
		t.Errorf("%s: decode: %v", name, err)
	}
	frames := 1
	if o.fragment > 0 && size > 0 {
		frames = (size + o.fragment - 1) / o.fragment
	}
	shown := strings.NewReplacer("\"", "", "\n", "").Replace(strings.Join(fields(got, "payload", "reason"), ""))
	if n := len(fields(got, "header")); n != frames || shown != strings.Repeat("x", size) {
		t.Errorf("%s: decode shows %d frames, want %d, and %d octets of payload", name, n, frames, len(shown))
	}
	if !strings.HasPrefix(got, "sent by a "+o.role+",") {
		t.Errorf("%s: decode takes them for frames of another: %.80s", name, got)
	}
}

// fields returns what the lines with these names say.
func fields(output string, names ...string) (all []string) {
	for line := range strings.Lines(output) {
		for _, name := range names {
			if rest, ok := strings.CutPrefix(line, fmt.Sprintf("  %-9s ", name)); ok {
				all = append(all, rest)
			}
		}
	}
	return all
}

// Without -key each frame has a key of its own, and each run others.
func TestEncodeKeysAreRandom(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		o := encodeOptions{opcode: "text", role: "client", fragment: 1, code: uint(codec.CloseNoStatus), out: "raw"}
		var wire bytes.Buffer
		if err := o.run([]string{strings.Repeat("x", 300)}, nil, &wire); err != nil {
			t.Fatal(err)
		}
		got, _ := decodeWire("client", wire.String())
		for _, mask := range fields(got, "MASK") {
			seen[mask] = true
		}
	}
	if len(seen) < 599 { // two of 600 are alike once in 24,000 runs, three of them never
		t.Errorf("%d keys for 600 frames", len(seen))
	}
}

// The examples of the help text are what the program writes.
func TestHelpOfEncodeIsTrue(t *testing.T) {
	checked := 0
	lines := strings.Split(encodeCommand.about, "\n")
	for i, line := range lines[:len(lines)-1] {
		command, ok := strings.CutPrefix(line, "    $ hybi ")
		if !ok || strings.HasPrefix(lines[i+1], "    $") || lines[i+1] == "" {
			continue
		}
		var out, stderr bytes.Buffer
		execute(strings.Fields(command), &out, &stderr)
		if got := "    " + strings.TrimSpace(out.String()); got != lines[i+1] {
			t.Errorf("hybi %s: %s%s, the help says %s", command, got, &stderr, lines[i+1])
		}
		checked++
	}
	if checked != 3 {
		t.Errorf("%d examples with output in the help, want 3", checked)
	}
}
