package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/oracle"
)

// runDecode decodes in, and returns what is printed and the verdict.
func runDecode(o decodeOptions, in io.Reader) (string, error) {
	var out bytes.Buffer
	err := o.run(nil, in, &out)
	return out.String(), err
}

// decodeWire is runDecode with the defaults of the flags; sender may be empty.
func decodeWire(sender, wire string) (string, error) {
	return runDecode(decodeOptions{max: 256, role: sender}, strings.NewReader(wire))
}

// senders by the role of the side that judges.
var senders = map[codec.Role]string{codec.Server: "client", codec.Client: "server"}

// RFC 6455 §5.7, each example, with 20 octets of payload shown at most.
func TestDecodeExamplesOfTheRFC(t *testing.T) {
	kib64 := strings.Repeat("\x00", 65536)
	for _, c := range []struct{ name, wire, want string }{
		{"a single-frame unmasked text message", "\x81\x05\x48\x65\x6c\x6c\x6f", `sent by a server, judged as a client does

frame 1 at octet 0
  header    81 05
  FIN       1
  RSV       000
  opcode    0x1 text
  MASK      0
  length    5 in 7 bits
  payload   "Hello"
`},
		{"a single-frame masked text message", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", `sent by a client, judged as a server does

frame 1 at octet 0
  header    81 85 37 fa 21 3d
  FIN       1
  RSV       000
  opcode    0x1 text
  MASK      1, masking-key 37 fa 21 3d
  length    5 in 7 bits
  payload   "Hello"
`},
		{"a fragmented unmasked text message", "\x01\x03\x48\x65\x6c\x80\x02\x6c\x6f", `sent by a server, judged as a client does

frame 1 at octet 0
  header    01 03
  FIN       0
  RSV       000
  opcode    0x1 text
  MASK      0
  length    3 in 7 bits
  payload   "Hel"

frame 2 at octet 5
  header    80 02
  FIN       1
  RSV       000
  opcode    0x0 continuation of a text message
  MASK      0
  length    2 in 7 bits
  payload   "lo"
`},
		{"unmasked ping request", "\x89\x05\x48\x65\x6c\x6c\x6f", `sent by a server, judged as a client does

frame 1 at octet 0
  header    89 05
  FIN       1
  RSV       000
  opcode    0x9 ping
  MASK      0
  length    5 in 7 bits
  payload   "Hello"
`},
		{"masked ping response", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", `sent by a client, judged as a server does

frame 1 at octet 0
  header    8a 85 37 fa 21 3d
  FIN       1
  RSV       000
  opcode    0xA pong
  MASK      1, masking-key 37 fa 21 3d
  length    5 in 7 bits
  payload   "Hello"
`},
		{"256 octets binary", "\x82\x7e\x01\x00" + kib64[:256], `sent by a server, judged as a client does

frame 1 at octet 0
  header    82 7e 01 00
  FIN       1
  RSV       000
  opcode    0x2 binary
  MASK      0
  length    256 in 16 bits
  payload   00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
            00000010  00 00 00 00                                       |....|
  left out  236 octets
`},
		{"64 KiB binary", "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + kib64, `sent by a server, judged as a client does

frame 1 at octet 0
  header    82 7f 00 00 00 00 00 01 00 00
  FIN       1
  RSV       000
  opcode    0x2 binary
  MASK      0
  length    65536 in 64 bits
  payload   00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
            00000010  00 00 00 00                                       |....|
  left out  65516 octets
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := runDecode(decodeOptions{max: 20}, strings.NewReader(c.wire))
			if err != nil || got != c.want {
				t.Errorf("error %v, output:\n%s\nwant:\n%s", err, got, c.want)
			}
		})
	}
}

// The help text shows what the program prints.
func TestHelpOfDecodeIsTrue(t *testing.T) {
	var out, stderr bytes.Buffer
	hello := `\x81\x8c\xff\xb8\xbd\xbd\xb7\xdd\xd1\xd1\x90\x98\xea\xd2\x8d\xd4\xd9\x9c`
	if status := execute([]string{"decode", hello}, &out, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	var shown strings.Builder
	for line := range strings.Lines("$ hybi decode '" + hello + "'\n" + out.String()) {
		if line != "\n" {
			line = "    " + line
		}
		shown.WriteString(line)
	}
	if !strings.Contains(decodeCommand.about, shown.String()) {
		t.Errorf("the help text lacks:\n%s", &shown)
	}
}

func TestDecodeShows(t *testing.T) {
	long := strings.Repeat("a", 300)
	for _, c := range []struct{ name, wire, want string }{
		{"close", "\x88\x05\x03\xe8bye", "  length    5 in 7 bits\n  code      1000 normal closure\n  reason    \"bye\"\n"},
		{"close without a reason", "\x88\x02\x0f\xa0", "  code      4000 private use\n  reason    \"\"\n"},
		{"close without a code", "\x88\x00", "  length    0 in 7 bits\n  code      none, reported as 1005 no status received\n"},
		{"behind a close", "\x88\x00\x81\x05Hello", "\n\noctet 2: 7 octets behind the close frame, ignored\n"},
		{"one octet behind a close", "\x88\x00\xff", "octet 2: 1 octet behind the close frame, ignored\n"},
		{"empty text", "\x81\x00", "  payload   \"\"\n"},
		{"empty binary", "\x82\x00", "  payload   \"\"\n"},
		{"quotes", "\x81\x07{\"a\":1}", "  payload   `{\"a\":1}`\n"},
		{"quotes and back quotes", "\x81\x02\"`", "  payload   \"\\\"`\"\n"},
		{"lines", "\x81\x05\"a\nb\"", "  payload   \"\\\"a\\nb\\\"\"\n"},
		{"printable binary", "\x82\x06gr\xc3\xbc\xc3\x9f", "  payload   \"grüß\"\n"},
		{"unprintable binary", "\x82\x02a\x00", "  payload   00000000  61 00                                             |a.|\n"},
		{"binary not UTF-8", "\x82\x02a\xff", "  payload   00000000  61 ff                                             |a.|\n"},
		{"long text", "\x81\x7e\x01\x2c" + long, "  payload   \"" + long[:256] + "\"\n  left out  44 octets\n"},
		{"between the frames of a message", "\x01\x01a\x89\x00", "\noctet 5: the input ends between the frames of a message\n"},
		{"a code point in two frames", "\x01\x01\xc3\x80\x01\xbc", "  payload   \"\\xc3\"\n"},
		{"nothing", "", "the input is empty: no frame\n"},
	} {
		got, err := decodeWire("server", c.wire)
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: error %v, output lacks %q:\n%s", c.name, err, c.want, got)
		}
	}
}

// The code of a close frame and the length of a payload show whatever max is.
func TestDecodeMax(t *testing.T) {
	got, err := runDecode(decodeOptions{}, strings.NewReader("\x81\x05Hello\x88\x05\x03\xe8bye"))
	for _, want := range []string{"payload   \"\"\n  left out  5 octets\n", "code      1000 normal closure\n  reason    \"\"\n  left out  3 octets\n"} {
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("error %v, output lacks %q:\n%s", err, want, got)
		}
	}
}

// Each rule that can be broken without a limit set: where, what is shown, and
// what the program says.
func TestDecodeViolations(t *testing.T) {
	for _, c := range []struct {
		name, sender, wire string
		broken             *codec.ProtocolError
		at                 int
		shows              string
	}{
		{"RSV1", "", "\xc1\x05Hello", codec.ErrReservedBits, 0, "  RSV       100\n  opcode    0x1 text\n  MASK      0\n  length    5 in 7 bits\n  violation"},
		{"RSV3", "", "\x81\x00\x91\x05Hello", codec.ErrReservedBits, 2, "frame 2 at octet 2\n  header    91 05\n"},
		{"reserved opcode", "", "\x83\x05Hello", codec.ErrReservedOpcode, 0, "  header    83\n  violation"},
		{"fragmented ping", "", "\x09\x80\x01\x02\x03\x04", codec.ErrFragmentedControl, 0, "  header    09\n"},
		{"continuation first", "", "\x80\x01a", codec.ErrLoneContinuation, 0, "  opcode    0x0 continuation\n"},
		{"text inside a message", "", "\x01\x01a\x81\x01b", codec.ErrInterruptedMessage, 3, "frame 2 at octet 3\n"},
		{"unmasked to a server", "client", "\x81\x05Hello", codec.ErrUnmasked, 1, "sent by a client,"},
		{"unmasked second frame", "", "\x81\x80\x01\x02\x03\x04\x81\x00", codec.ErrUnmasked, 7, "frame 2 at octet 6\n"},
		{"masked to a client", "server", "\x89\x80\x01\x02\x03\x04", codec.ErrMasked, 1, "masking-key 01 02 03 04\n"},
		{"ping of 126", "", "\x89\x7e\x00\x7e" + strings.Repeat("a", 126), codec.ErrControlTooLong, 1, "  header    89 7e\n"},
		{"masked ping of 126", "", "\x89\xfe\x00\x7e", codec.ErrControlTooLong, 1, "sent by a client,"},
		{"close of 1", "", "\x88\x01\x03", codec.ErrClosePayload, 1, "  header    88 01\n"},
		{"125 in 16 bits", "", "\x82\x7e\x00\x7d", codec.ErrNonMinimalLength, 3, "  header    82 7e 00 7d\n"},
		{"65535 in 64 bits", "", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", codec.ErrNonMinimalLength, 7, "  header    82 7f 00 00 00 00 00 00\n"},
		{"top bit", "", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", codec.ErrLengthTopBit, 2, "  header    82 7f 80\n"},
		{"close 1005", "", "\x88\x02\x03\xedbehind", codec.ErrCloseCode, 3, "  code      1005 no status received\n  reason    \"\"\n"},
		{"close 999, masked", "", "\x88\x85\x37\xfa\x21\x3d\x34\x1d\x43\x44\x52", codec.ErrCloseCode, 7, "  code      999 reserved\n  reason    \"bye\"\n"},
		{"close 0", "", "\x88\x02\x00\x00", codec.ErrCloseCode, 2, "  code      0 reserved\n"},
		{"close reason", "", "\x88\x04\x03\xe8a\xff", codec.ErrCloseReasonUTF8, 5, "  reason    \"a\\xff\"\n"},
		{"text", "", "\x81\x05He\xfflo", codec.ErrTextUTF8, 4, "  payload   \"He\"\n"},
		{"text over two frames", "", "\x01\x03He\xc3\x80\x02\xffo", codec.ErrTextUTF8, 7, "frame 2 at octet 5\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"decode", "-role=" + c.sender, fmt.Sprintf("% x", c.wire)}
			var out, stderr bytes.Buffer
			if status := execute(args, &out, &stderr); status != 1 {
				t.Errorf("status %d, want 1", status)
			}
			line := fmt.Sprintf("hybi: decode: octet %d: %s\n", c.at, strings.TrimPrefix(c.broken.Error(), "hybi: "))
			if got := stderr.String(); got != line {
				t.Errorf("stderr %q, want %q", got, line)
			}
			last := fmt.Sprintf("  violation octet %d: %v, close code %d %v\n", c.at, c.broken.Rule, c.broken.Code, c.broken.Code)
			if got := out.String(); !strings.HasSuffix(got, last) || !strings.Contains(got, c.shows) {
				t.Errorf("output lacks %q or %q:\n%s", c.shows, last, got)
			}
			in := iotest.OneByteReader(strings.NewReader(c.wire))
			if got, _ := runDecode(decodeOptions{max: 256, role: c.sender}, in); got != out.String() {
				t.Errorf("octet by octet:\n%s\nnot:\n%s", got, &out)
			}
		})
	}
}

// The oracle's table: the same rule at the same octet, and status 0 or a missing end
// otherwise; the same output when the input comes octet by octet.
func TestDecodeAgreesWithTheOracle(t *testing.T) {
	for _, c := range oracle.Cases() {
		want := oracle.Decode(c.Role, 0, 0, []byte(c.Wire)) // hybi decode has no limits
		o := decodeOptions{max: 256, role: senders[c.Role]}
		got, err := runDecode(o, strings.NewReader(c.Wire))
		violation := fmt.Sprintf("  violation octet %d: %v, ", want.Offset, want.Rule)
		switch {
		case want.Rule != 0:
			if err == nil || !strings.Contains(got, violation) {
				t.Errorf("%s: error %v, output lacks %q:\n%s", c.Name, err, violation, got)
			}
		case strings.Contains(got, "  violation "):
			t.Errorf("%s: a violation where there is none:\n%s", c.Name, got)
		case (err != nil) != strings.Contains(got, "  missing   "):
			t.Errorf("%s: error %v, output:\n%s", c.Name, err, got)
		}
		if len(c.Wire) > 4096 {
			continue
		}
		slow, slowErr := runDecode(o, iotest.OneByteReader(strings.NewReader(c.Wire)))
		if slow != got || fmt.Sprint(slowErr) != fmt.Sprint(err) {
			t.Errorf("%s: octet by octet: error %v, not %v, output:\n%s\nnot:\n%s", c.Name, slowErr, err, slow, got)
		}
	}
}

// A stream that is cut at any octet says so, unless a frame ends there.
func TestDecodeTruncated(t *testing.T) {
	frames := []string{
		"\x01\x83\x01\x02\x03\x04Igo", "\x89\x82\x01\x02\x03\x04ab", "\x00\xfe\x00\x7e\x01\x02\x03\x04" + strings.Repeat("\x01\x02\x03\x04", 31) + "\x01\x02",
		"\x80\x80\x01\x02\x03\x04", "\x88\x85\x00\x00\x00\x00\x03\xe8bye",
	}
	stream := strings.Join(frames, "")
	offset := 0
	for number, frame := range frames {
		for cut := range len(frame) {
			at := offset + cut
			got, err := decodeWire("", stream[:at])
			if cut == 0 {
				if err != nil {
					t.Errorf("cut at %d, between frames: %v", at, err)
				}
				continue
			}
			head := 6
			if frame[1] == 0xfe {
				head = 8
			}
			missing, least := len(frame)-cut, ""
			if cut == 1 {
				missing, least = 1, "at least "
			} else if cut < head {
				missing, least = head-cut, "at least "
			}
			octets := strconv.Itoa(missing) + " octets"
			if missing == 1 {
				octets = "1 octet"
			}
			want := fmt.Sprintf("octet %d: the input ends inside frame %d, %s%s missing", at, number+1, least, octets)
			if err == nil || err.Error() != want {
				t.Errorf("cut at %d: %v, want %s", at, err, want)
			}
			if last := "  missing   " + least + octets + "\n"; !strings.HasSuffix(got, last) {
				t.Errorf("cut at %d: output lacks %q:\n%s", at, last, got)
			}
		}
		offset += len(frame)
	}
	long := "\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00\x01\x02\x03\x04"
	for cut := 2; cut < len(long); cut++ {
		_, err := decodeWire("", long[:cut])
		want := fmt.Sprintf("octet %d: the input ends inside frame 1, at least %s missing", cut, count(int64(len(long)-cut)))
		if err == nil || err.Error() != want {
			t.Errorf("header of 14 cut at %d: %v, want %s", cut, err, want)
		}
	}
	got, _ := decodeWire("", "\x88\x85\x00\x00\x00\x00\x03\xe8b")
	if want := "  code      1000 normal closure\n  reason    \"b\"\n  missing   2 octets\n"; !strings.HasSuffix(got, want) {
		t.Errorf("a cut close frame does not show what is there:\n%s", got)
	}
}

// Whatever comes, a terminal gets printable characters and ends of lines, and none
// that turns the direction of writing.
func TestDecodeIsSafeForTerminals(t *testing.T) {
	hostile := "\x1b]0;title\a\x1b[2J\r\x00\x7f\u009b31m\u202egnp\u2066\u200b\ufeff\u2028" // CSI as one rune, overrides, separators
	mixed := "\"" + hostile
	random := make([]byte, 2000)
	source := rand.NewChaCha8([32]byte{1})
	source.Read(random)
	for _, payload := range []string{hostile, mixed, "`" + mixed, string(random), "\"\u009b", "\"\u202e", "\\\x7f"} {
		for _, op := range []codec.Opcode{codec.OpText, codec.OpBinary, codec.OpPing, codec.OpClose} {
			body := payload
			if op == codec.OpClose {
				body = "\x03\xe8" + body
			}
			if op.IsControl() {
				body = body[:min(len(body), 125)]
			}
			wire := codec.AppendFrame(nil, codec.Header{FIN: true, Opcode: op}, []byte(body))
			for cut := len(wire); cut > max(0, len(wire)-3); cut-- {
				out, err := runDecode(decodeOptions{max: 4096}, bytes.NewReader(wire[:cut]))
				safe(t, out)
				safe(t, fmt.Sprint(err))
			}
		}
	}
	for _, arg := range []string{"\x1b[2J", "\u009b", "81\u202e", "-\x1b", "\xff"} {
		for _, args := range [][]string{{"--", arg}, {"81", arg}, {"-role", arg}} {
			var out, stderr bytes.Buffer
			if status := execute(append([]string{"decode"}, args...), &out, &stderr); status != 2 {
				t.Errorf("%q: status %d, want 2", args, status)
			}
			safe(t, out.String()+stderr.String())
		}
	}
}

func safe(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("the output is not UTF-8: %q", s)
	}
	for i, r := range s {
		if r != '\n' && !unicode.IsGraphic(r) {
			t.Fatalf("octet %d of the output is %q: %q", i, r, s)
		}
	}
}

// The input is a file, standard input, or hex; where it could be both, the rule
// of the help text holds.
func TestDecodeSources(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{"capture.bin": "\x81\x04file", "8100": "\x81\x04file", "-81": "\x81\x04file"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("8900", 0o700); err != nil {
		t.Fatal(err)
	}
	file, empty, ping, stdin := `"file"`, `0x1 text`, `0x9 ping`, `"stdin"`
	for _, c := range []struct {
		want string
		args []string
	}{
		{stdin, nil}, {stdin, []string{"-"}},
		{file, []string{"capture.bin"}}, {file, []string{filepath.Join(".", "capture.bin")}},
		{file, []string{"8100"}}, {file, []string{"-file", "8100"}}, {file, []string{"-file=-81"}}, {file, []string{"--", "-81"}},
		{empty, []string{"0x8100"}}, {empty, []string{"81", "00"}}, {empty, []string{"81 00"}}, {ping, []string{"8900"}},
	} {
		got, err := withStdin(t, "\x81\x05stdin", append([]string{"decode"}, c.args...)...)
		if err != "" || !strings.Contains(got, c.want) || c.want == empty && strings.Contains(got, file) {
			t.Errorf("%q: %s%s, want %s", c.args, got, err, c.want)
		}
	}
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{1, "decode: open ", []string{"-file", "none"}},
		{2, "not both", []string{"-file", "8100", "81"}},
		{2, `no file of that name, and no hex: argument 1, character 1: "n" is not`, []string{"none.bin"}},
		{1, `"." is a directory: give a file`, []string{"."}},
		{2, `"-max": put flags ahead`, []string{"capture.bin", "-max", "5"}},
		{2, "-max -1", []string{"-max", "-1"}},
		{2, "-role \"peer\"", []string{"-role", "peer"}},
		{2, "see `hybi help decode`", []string{"-json"}},
	} {
		var out, stderr bytes.Buffer
		status := execute(append([]string{"decode"}, c.args...), &out, &stderr)
		if got := stderr.String(); status != c.status || !strings.Contains(got, c.want) || strings.Count(got, "\n") != 1 || out.Len() > 0 {
			t.Errorf("%q: status %d, %q%q, want %d, %q", c.args, status, got, &out, c.status, c.want)
		}
	}
}

// withStdin runs a command line with input as standard input; complaint is
// what it says on standard error.
func withStdin(t *testing.T, input string, args ...string) (output, complaint string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stdin"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err = f.WriteString(input); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		t.Fatal(err)
	}
	saved := os.Stdin
	os.Stdin = f
	defer func() { os.Stdin = saved }()
	var out, stderr bytes.Buffer
	execute(args, &out, &stderr)
	return out.String(), stderr.String()
}

// Hex where the octets themselves belong is a likely mistake.
func TestDecodeHintsAtHex(t *testing.T) {
	_, err := decodeWire("", "810548656c6c6f\n")
	if err == nil || !strings.HasSuffix(err.Error(), "give it as an argument") {
		t.Errorf("%v: no hint", err)
	}
	if _, err = decodeWire("", "\xc1\x05Hello"); err == nil || strings.Contains(err.Error(), "argument") {
		t.Errorf("%v: a hint where there is no hex", err)
	}
}

// What failed to be read or written is told, and told once.
func TestDecodeBrokenStreams(t *testing.T) {
	broken := errors.New("broken")
	in := io.MultiReader(strings.NewReader("\x81\x05Hello\x81"), iotest.ErrReader(broken))
	if got, err := runDecode(decodeOptions{max: 9}, in); !errors.Is(err, broken) || !strings.Contains(got, `"Hello"`) {
		t.Errorf("error %v, output:\n%s", err, got)
	}
	in = io.MultiReader(strings.NewReader("\x88\x00"), iotest.ErrReader(broken))
	if _, err := runDecode(decodeOptions{}, in); !errors.Is(err, broken) {
		t.Errorf("behind a close: error %v", err)
	}
	o := decodeOptions{}
	if err := o.run(nil, strings.NewReader("\x81\x00"), brokenWriter{}); err == nil || err.Error() != "broken" {
		t.Errorf("output that cannot be written: %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

// A frame is shown before the next one has come: the input may be a live pipe.
func TestDecodeDoesNotHoldBack(t *testing.T) {
	in, feed := io.Pipe()
	out, shown := io.Pipe()
	done := make(chan error)
	o := decodeOptions{max: 9}
	go func() {
		err := o.run(nil, in, shown)
		shown.CloseWithError(io.EOF)
		done <- err
	}()
	for _, word := range []string{"first", "other"} {
		fmt.Fprintf(feed, "\x81\x05%s", word)
		for got := ""; !strings.HasSuffix(got, `"`+word+"\"\n"); {
			piece := make([]byte, 512)
			n, err := out.Read(piece)
			if err != nil {
				t.Fatalf("%v after %q", err, got)
			}
			got += string(piece[:n])
		}
	}
	feed.Close()
	io.Copy(io.Discard, out)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// zeros is an endless stream of octets that it counts.
type zeros struct{ n int64 }

func (z *zeros) Read(b []byte) (int, error) {
	clear(b)
	z.n += int64(len(b))
	return len(b), nil
}

// Memory is bounded, whatever is announced and however much comes.
func TestDecodeMemory(t *testing.T) {
	announced := "\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00" // 2^40
	large := int64(256 << 20)
	frame := string(codec.AppendHeader(nil, codec.Header{FIN: true, Opcode: codec.OpBinary, PayloadLength: large}))
	for _, c := range []struct {
		name string
		in   io.Reader
		want string
	}{
		{"announced", strings.NewReader(announced), "missing   1099511627776 octets\n"},
		{"announced with a start", strings.NewReader(announced + "abc"), "missing   1099511627773 octets\n"},
		{"came", io.MultiReader(strings.NewReader(frame), io.LimitReader(&zeros{}, large)), "left out  268435200 octets\n"},
		{"text", io.MultiReader(strings.NewReader("\x81"+frame[1:]), io.LimitReader(&zeros{}, large)), "left out  268435200 octets\n"},
		{"behind a close", io.MultiReader(strings.NewReader("\x88\x00"), io.LimitReader(&zeros{}, large)), "octet 2: 268435456 octets"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, _ := decodeReader(c.in)
		runtime.ReadMemStats(&after)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: output lacks %q:\n%s", c.name, c.want, got)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: allocated %d octets", c.name, n)
		}
	}
}

func decodeReader(in io.Reader) (string, error) {
	return runDecode(decodeOptions{max: 256}, in)
}
