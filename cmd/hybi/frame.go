package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hybi-go/hybi/codec"
)

// A frame is what is known of the frame being decoded.
type frame struct {
	number int
	offset int64  // of its first octet in the stream
	header []byte // as on the wire; up to the octet at fault if that is in it
	h      codec.Header
	head   int          // octets of the header, 0 if it is not whole or not right
	opcode codec.Opcode // the message's, once its payload has come
	seen   int64        // octets of payload so far
	start  []byte       // the first of them, unmasked
}

// add takes the next octets of payload, and keeps what may be shown: all of a
// control frame, for its close code, and else max octets.
func (f *frame) add(payload []byte, max int) {
	f.seen += int64(len(payload))
	if !f.h.Opcode.IsControl() {
		payload = payload[:min(len(payload), max-len(f.start))]
	}
	f.start = append(f.start, payload...)
}

// missing returns how many octets f lacks; least says that there may be more,
// as the payload's length is not known.
func (f *frame) missing() (n int64, least string) {
	if f.head > 0 {
		return f.h.PayloadLength - f.seen, ""
	}
	if len(f.header) < 2 {
		return int64(2 - len(f.header)), "at least "
	}
	size := 2 + map[byte]int{126: 2, 127: 8}[f.header[1]&0x7F] + int(f.header[1]>>7)*4
	return int64(size - len(f.header)), "at least "
}

// show prints f: a line with its number and place, then one for each thing.
func (f *frame) show(w io.Writer, max int) {
	fmt.Fprintf(w, "\nframe %d at octet %d\n", f.number, f.offset)
	line(w, "header", "% x", f.header)
	if f.head == 0 {
		return
	}
	bit, of := map[bool]int{true: 1}, ""
	line(w, "FIN", "%d", bit[f.h.FIN])
	line(w, "RSV", "%d%d%d", bit[f.h.RSV1], bit[f.h.RSV2], bit[f.h.RSV3])
	if f.opcode != f.h.Opcode {
		of = fmt.Sprintf(" of a %v message", f.opcode)
	}
	line(w, "opcode", "0x%X %v%s", uint8(f.h.Opcode), f.h.Opcode, of)
	head := f.head
	if f.h.Masked {
		line(w, "MASK", "1, masking-key % x", f.h.MaskingKey[:])
		head -= len(f.h.MaskingKey)
	} else {
		line(w, "MASK", "0")
	}
	line(w, "length", "%d in %d bits", f.h.PayloadLength, map[int]int{2: 7, 4: 16, 10: 64}[head])
	f.showPayload(w, max)
}

func (f *frame) showPayload(w io.Writer, max int) {
	p, name, text := f.start, "payload", f.opcode == codec.OpText
	if f.opcode == codec.OpClose {
		switch {
		case f.h.PayloadLength == 0:
			line(w, "code", "none, reported as %d %v", codec.CloseNoStatus, codec.CloseNoStatus)
			return
		case len(p) >= 2:
			code, reason := codec.ParseClose(p)
			line(w, "code", "%d %v", code, code)
			p, name, text = reason, "reason", true
		}
	}
	if f.seen == 0 && f.h.PayloadLength > 0 {
		return // it did not come, or was not looked at
	}
	all := f.seen - int64(len(f.start)-len(p)) // but for a close code
	p = p[:min(len(p), max)]
	if text || printable(p) {
		line(w, name, "%s", quote(p))
	} else {
		dump := strings.TrimRight(hex.Dump(p), "\n")
		line(w, name, "%s", strings.ReplaceAll(dump, "\n", "\n"+strings.Repeat(" ", nameWidth)))
	}
	if left := all - int64(len(p)); left > 0 {
		line(w, "left out", "%s", count(left))
	}
}

// nameWidth is how many columns stand ahead of what a line says.
const nameWidth = 12

// line prints one thing about a frame.
func line(w io.Writer, name, format string, args ...any) {
	fmt.Fprintf(w, "  %-*s"+format+"\n", append([]any{nameWidth - 2, name}, args...)...)
}

func count(n int64) string {
	if n == 1 {
		return "1 octet"
	}
	return strconv.FormatInt(n, 10) + " octets"
}

// printable reports whether p is text: UTF-8, and nothing but what can be seen
// and line ends and tabs.
func printable(p []byte) bool {
	return utf8.Valid(p) && !strings.ContainsFunc(string(p), func(r rune) bool {
		return !strconv.IsPrint(r) && r != '\n' && r != '\r' && r != '\t'
	})
}

// quote returns p as a Go string, in back quotes if that spares escapes. What a
// terminal could take for a command never stands in it as it is, nor what
// turns the direction of writing: all but strconv.IsPrint is escaped.
func quote(p []byte) string {
	s := string(p)
	if printable(p) && !strings.ContainsAny(s, "`\n\r\t") && strings.ContainsAny(s, `"\`) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}
