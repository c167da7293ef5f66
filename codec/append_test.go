package codec_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/mask"
)

// RFC 6455 §5.7, written. Hazards 9 and 14.
func TestAppendFrameGolden(t *testing.T) {
	key := mask.Key{0x37, 0xfa, 0x21, 0x3d}
	for _, c := range []struct {
		codec.Header
		payload, want string
	}{
		{codec.Header{FIN: true, Opcode: codec.OpText}, "Hello", "\x81\x05Hello"},
		{codec.Header{FIN: true, Opcode: codec.OpText, Masked: true, MaskingKey: key}, "Hello", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		{codec.Header{Opcode: codec.OpText}, "Hel", "\x01\x03Hel"},
		{codec.Header{FIN: true}, "lo", "\x80\x02lo"},
		{codec.Header{FIN: true, Opcode: codec.OpPing}, "Hello", "\x89\x05Hello"},
		{codec.Header{FIN: true, Opcode: codec.OpPong, Masked: true, MaskingKey: key}, "Hello", "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"},
		{codec.Header{FIN: true, Opcode: codec.OpText, Masked: true, MaskingKey: mask.Key{0xff, 0xb8, 0xbd, 0xbd}}, "Hello World!",
			"\x81\x8c\xff\xb8\xbd\xbd\xb7\xdd\xd1\xd1\x90\x98\xea\xd2\x8d\xd4\xd9\x9c"},
		{codec.Header{FIN: true, Opcode: codec.OpBinary, PayloadLength: 99}, "len(payload) wins", "\x82\x11len(payload) wins"},
		{codec.Header{FIN: true, Opcode: codec.OpBinary, Masked: true}, "", "\x82\x80\x00\x00\x00\x00"},
	} {
		payload := []byte(c.payload)
		if got := codec.AppendFrame([]byte("dst"), c.Header, payload); string(got) != "dst"+c.want {
			t.Errorf("%+v %q: % x, want % x", c.Header, c.payload, got[3:], c.want)
		}
		if string(payload) != c.payload {
			t.Errorf("%q was changed to %q", c.payload, payload)
		}
		// Into room, and no octet beyond: hazard 9.
		room := bytes.Repeat([]byte{0xEE}, len(c.want)+8)
		if got := codec.AppendFrame(room[:0], c.Header, payload); string(got) != c.want || &got[0] != &room[0] {
			t.Errorf("into room: % x, want % x", got, c.want)
		}
		if tail := room[len(c.want):]; string(tail) != strings.Repeat("\xEE", 8) {
			t.Errorf("octets behind the frame: % x", tail)
		}
	}
}

func TestAppendClose(t *testing.T) {
	for _, c := range []struct {
		code   codec.CloseCode
		reason string
		want   string
		err    error
	}{
		{codec.CloseNormal, "", "\x88\x02\x03\xe8", nil},
		{codec.CloseGoingAway, "Adió", "\x88\x07\x03\xe9Adi\xc3\xb3", nil},
		{codec.CloseNoStatus, "", "\x88\x00", nil},
		{codec.CloseNormal, strings.Repeat("r", 123), "\x88\x7d\x03\xe8" + strings.Repeat("r", 123), nil},
		{codec.CloseNormal, strings.Repeat("r", 124), "", codec.ErrSendCloseReason},
		{codec.CloseNormal, "\xff", "", codec.ErrSendCloseReason},
		{codec.CloseNormal, "\xc3", "", codec.ErrSendCloseReason},
		{codec.CloseNoStatus, "why", "", codec.ErrSendCloseCode},
		{codec.CloseAbnormal, "", "", codec.ErrSendCloseCode},
		{codec.CloseTLSHandshake, "", "", codec.ErrSendCloseCode},
		{0, "", "", codec.ErrSendCloseCode},
	} {
		got, err := codec.AppendClose([]byte("dst"), c.code, c.reason)
		if string(got) != "dst"+c.want || err != c.err {
			t.Errorf("AppendClose(%d, %q): % x, %v", c.code, c.reason, got[3:], err)
		}
		want := c.want
		if c.err == nil {
			want = want[2:]
		}
		got, err = codec.AppendClosePayload([]byte("dst"), c.code, c.reason)
		if string(got) != "dst"+want || err != c.err {
			t.Errorf("AppendClosePayload(%d, %q): % x, %v", c.code, c.reason, got[3:], err)
		}
	}
	for code := range 1 << 16 {
		code := codec.CloseCode(code)
		_, err := codec.AppendClose(nil, code, "")
		if want := code.IsSendable() || code == codec.CloseNoStatus; want != (err == nil) {
			t.Fatalf("AppendClose(%d): %v", code, err)
		}
	}
}

func TestParseClose(t *testing.T) {
	for _, c := range []struct {
		payload string
		code    codec.CloseCode
		reason  string
	}{{"", 1005, ""}, {"\x03", 1005, ""}, {"\x03\xe8", 1000, ""}, {"\x03\xe9bye", 1001, "bye"}, {"\xff\xff\xff", 65535, "\xff"}} {
		if code, reason := codec.ParseClose([]byte(c.payload)); code != c.code || string(reason) != c.reason {
			t.Errorf("% x: %d, %q", c.payload, code, reason)
		}
	}
}

func TestCloseCodeNames(t *testing.T) {
	for code, name := range map[codec.CloseCode]string{0: "reserved", 999: "reserved", 1000: "normal closure", 1001: "going away",
		1002: "protocol error", 1003: "unsupported data", 1004: "reserved", 1005: "no status received", 1006: "abnormal closure",
		1007: "invalid frame payload data", 1008: "policy violation", 1009: "message too big", 1010: "mandatory extension",
		1011: "internal error", 1012: "service restart", 1013: "try again later", 1014: "bad gateway", 1015: "TLS handshake",
		1016: "reserved", 2999: "reserved", 3000: "registered with IANA", 3999: "registered with IANA", 4000: "private use",
		4999: "private use", 5000: "reserved", 65535: "reserved"} {
		if code.String() != name {
			t.Errorf("%d: %q, want %q", uint16(code), code, name)
		}
	}
}

// A counter counts what is read of a source.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}

// Keys come from the source, each once, fetched in batches (RFC 6455 §5.3, §10.3).
// Hazard 14.
func TestKeys(t *testing.T) {
	octets := make([]byte, 4096)
	if _, err := rand.Read(octets); err != nil {
		t.Fatal(err)
	}
	unused := map[mask.Key]int{}
	for i := 0; i < len(octets); i += 4 {
		unused[mask.Key(octets[i:])]++
	}
	source := &counter{Reader: iotest.OneByteReader(bytes.NewReader(octets))}
	keys := codec.NewKeys(source)
	for i := range 1024 {
		key, err := keys.Next()
		if err != nil || unused[key] == 0 {
			t.Fatalf("key %d: %x, %v: not from the source, or twice", i, key, err)
		}
		unused[key]--
		if want := (i/128 + 1) * 512; source.n != want {
			t.Fatalf("key %d: %d octets read, want %d", i, source.n, want)
		}
	}
	if key, err := keys.Next(); err != io.EOF || key != (mask.Key{}) {
		t.Errorf("at the end of the source: %x, %v", key, err)
	}
}

// A source that fails: no key, none of the octets that came before it failed,
// and keys again when it has recovered. Hazard 14.
func TestKeysSourceFails(t *testing.T) {
	broken := errors.New("broken")
	full := bytes.Repeat([]byte{0xAA}, 512)
	source := io.MultiReader(bytes.NewReader(full[:100]), iotest.ErrReader(broken))
	keys := codec.NewKeys(source)
	for range 3 {
		if key, err := keys.Next(); err != broken || key != (mask.Key{}) {
			t.Errorf("%x, %v", key, err)
		}
	}
	var recovering flaky
	keys = codec.NewKeys(&recovering)
	if _, err := keys.Next(); err == nil {
		t.Error("no error")
	}
	if key, err := keys.Next(); err != nil || key != (mask.Key{7, 7, 7, 7}) {
		t.Errorf("after the source has recovered: %x, %v", key, err)
	}
}

// flaky fails once.
type flaky struct{ calls int }

func (f *flaky) Read(b []byte) (int, error) {
	if f.calls++; f.calls == 1 {
		return 0, io.ErrNoProgress
	}
	for i := range b {
		b[i] = 7
	}
	return len(b), nil
}

func TestPreparedFrame(t *testing.T) {
	payload := []byte(strings.Repeat("x", 126))
	f := codec.NewPreparedFrame(codec.OpBinary, payload)
	payload[0] = 'y'
	if f.Opcode() != codec.OpBinary || string(f.Frame()) != "\x82\x7e\x00\x7e"+strings.Repeat("x", 126) || string(f.Payload()) != strings.Repeat("x", 126) {
		t.Errorf("%v, frame % .20x, payload %.20q", f.Opcode(), f.Frame(), f.Payload())
	}
	for _, op := range []codec.Opcode{codec.OpText, codec.OpPing, codec.OpPong} {
		if f := codec.NewPreparedFrame(op, nil); string(f.Frame()) != string([]byte{0x80 | byte(op), 0}) || len(f.Payload()) != 0 {
			t.Errorf("%v: % x", op, f.Frame())
		}
	}
	codec.NewPreparedFrame(codec.OpPing, payload[:125])
	for _, op := range []codec.Opcode{codec.OpContinuation, codec.OpClose, 3, 0xF, 0x11} {
		mustPanic(t, "NewPreparedFrame: "+op.String(), func() { codec.NewPreparedFrame(op, nil) })
	}
	mustPanic(t, "a ping of 126", func() { codec.NewPreparedFrame(codec.OpPing, payload) })
}

// AppendServerFrame is AppendFrame for a server.
func TestAppendServerFrame(t *testing.T) {
	room := make([]byte, 0, codec.MaxHeaderSize+1<<20+3)
	for op := codec.OpContinuation; op <= 0xF; op++ {
		for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
			payload := bytes.Repeat([]byte{0xA5}, n)
			want := codec.AppendFrame([]byte("dst"), codec.Header{FIN: true, Opcode: op}, payload)
			if got := codec.AppendServerFrame(append(room, "dst"...), op, payload); !bytes.Equal(got, want) {
				t.Fatalf("opcode %v, %d octets: differs from AppendFrame", op, n)
			}
		}
	}
	payload := make([]byte, 126)
	if n := testing.AllocsPerRun(100, func() { codec.AppendServerFrame(room, codec.OpText, payload) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("an opcode over 4 bits did not panic")
		}
	}()
	codec.AppendServerFrame(nil, 0x10, nil)
}
