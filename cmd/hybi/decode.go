package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/mask"
)

var decodeCommand = command{
	name:     "decode",
	summary:  "explain the frames of a stream, and judge them",
	operands: "[FILE | HEX...]",
	about: `Reads one direction of a connection, from behind the opening handshake, explains
each frame, and stops at the first octet that breaks a rule of RFC 6455.

    $ hybi decode '\x81\x8c\xff\xb8\xbd\xbd\xb7\xdd\xd1\xd1\x90\x98\xea\xd2\x8d\xd4\xd9\x9c'
    sent by a client, judged as a server does

    frame 1 at octet 0
      header    81 8c ff b8 bd bd
      FIN       1
      RSV       000
      opcode    0x1 text
      MASK      1, masking-key ff b8 bd bd
      length    12 in 7 bits
      payload   "Hello World!"

The input is a file, standard input without an argument or for -, or octets in
hex: 818c, 81 8C, 81:8c, 81-8c, 0x81,0x8c, \x81\x8c, { 0x81, 0x8c }, in one argument
or several. A single argument that names an existing file is that file; 0x81
is then the octet and ./81 or -file 81 the file. Files and standard input hold
the octets themselves, not hex.

    hybi decode -max 32 capture.bin
    hybi decode 88 02 03 e8
    hybi encode -out raw hello | hybi decode

A payload is unmasked. Text, and what is printable, is shown as a Go string, all
but printable characters escaped; the rest as a hex dump. Of a long payload the
start is shown, and the line "left out" counts the rest. A close frame has the lines
"code" and "reason" instead. The last frame may have a line "violation" with the
octet, the rule and the close code to answer with, or "missing" with the octets
behind the end of the input.

Status 0 means that no rule is broken, 1 that one is, that the input ends inside a
frame or that it cannot be read, 2 that the command line is wrong.
`,
	flags: func(fs *flag.FlagSet) func() error {
		var o decodeOptions
		fs.StringVar(&o.file, "file", "", "decode `FILE`, even if its name looks like hex")
		fs.IntVar(&o.max, "max", 256, "show `N` octets of each payload at most")
		fs.StringVar(&o.role, "role", "", "the `SENDER`, client or server; empty: the MASK bit of the first frame tells")
		return func() error {
			if err := o.run(fs.Args(), os.Stdin, fs.Output()); err != nil {
				return fmt.Errorf("decode: %w", err)
			}
			return nil
		}
	},
}

type decodeOptions struct {
	file, role string
	max        int
}

func (o *decodeOptions) run(args []string, stdin io.Reader, stdout io.Writer) error {
	if _, known := roles[o.role]; !known && o.role != "" {
		return usageError{fmt.Errorf("-role %q: it must be client or server", o.role)}
	}
	if o.max < 0 {
		return usageError{fmt.Errorf("-max %d: it must be 0 or more", o.max)}
	}
	in, err := o.open(args, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	d := decoder{in: in, out: bufio.NewWriter(stdout), max: o.max, room: make([]byte, readSize)}
	verdict := d.run(o.role)
	if err := d.out.Flush(); verdict == nil {
		return err
	}
	return verdict
}

// open returns the input that the command line names.
func (o *decodeOptions) open(args []string, stdin io.Reader) (io.ReadCloser, error) {
	switch {
	case o.file != "" && len(args) > 0:
		return nil, usageError{errors.New("takes -file or an argument, not both")}
	case o.file != "":
		return os.Open(o.file)
	case len(args) == 0 || len(args) == 1 && args[0] == "-":
		return io.NopCloser(stdin), nil
	case len(args) == 1 && isFile(args[0]):
		return os.Open(args[0])
	}
	for _, arg := range args[1:] {
		if strings.HasPrefix(arg, "-") {
			return nil, usageError{fmt.Errorf("%.40q: put flags ahead of FILE or HEX", arg)}
		}
	}
	octets, err := parseHex(args)
	if err != nil {
		if info, err := os.Stat(args[0]); len(args) == 1 && err == nil && info.IsDir() {
			return nil, fmt.Errorf("%.200q is a directory: give a file, or octets in hex", args[0])
		}
		return nil, usageError{fmt.Errorf("no file of that name, and no hex: %w", err)}
	}
	return io.NopCloser(bytes.NewReader(octets)), nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// readSize is the size of the read buffer; codec.MaxControlSize would do.
const readSize = 64 << 10

// A decoder explains one stream. The codec.Parser alone judges; codec.ParseHeader
// runs ahead of it for what is shown. Memory is the read buffer and max octets
// of payload, whatever the stream announces.
//
//	room  ├── octets: read and not taken by parser ──┤ free ┤
//
// At the start of a frame, octets has its header, and a control frame's payload
// too, unless the input ends before: what is shown does not depend on how the
// input arrives.
type decoder struct {
	in     io.Reader
	out    *bufio.Writer
	max    int // octets of payload to show
	room   []byte
	octets []byte
	end    bool // in has no more
	parser codec.Parser
	frames int
	frame  frame
}

// run explains the stream and returns why it is not right and whole, if it is not.
func (d *decoder) run(sender string) error {
	if err := d.begin(); err != nil {
		return err
	}
	if sender == "" && len(d.octets) >= 2 {
		sender = "server"
		if d.octets[1]&0x80 != 0 {
			sender = "client"
		}
	}
	if sender != "" {
		to := receiver(roles[sender])
		d.parser.Reset(codec.Config{Role: to})
		fmt.Fprintf(d.out, "sent by a %s, judged as a %v does\n", sender, to)
	}
	for len(d.octets) > 0 {
		if err := d.readFrame(); err != nil {
			return err
		}
		if d.frame.h.Opcode == codec.OpClose {
			return d.ignoreRest()
		}
		if err := d.begin(); err != nil {
			return err
		}
	}
	if d.frames == 0 {
		fmt.Fprintln(d.out, "the input is empty: no frame")
	}
	if d.parser.InMessage() {
		fmt.Fprintf(d.out, "\noctet %d: the input ends between the frames of a message\n", d.parser.InputOffset())
	}
	return nil
}

// fill reads what comes behind octets. What was found so far is printed first,
// as the input may be a pipe that rests.
func (d *decoder) fill() error {
	if err := d.out.Flush(); err != nil {
		return err
	}
	n := copy(d.room, d.octets)
	m, err := io.ReadAtLeast(d.in, d.room[n:], 1)
	d.octets = d.room[:n+m]
	if err == io.EOF {
		d.end, err = true, nil
	}
	return err
}

// begin reads on until octets has what the start of a frame needs.
func (d *decoder) begin() error {
	for {
		h, head, err := codec.ParseHeader(d.octets)
		if err != nil {
			head = 0 // and not the index of the octet at fault
		}
		d.frame = frame{number: d.frames + 1, offset: d.parser.InputOffset(), h: h, head: head, opcode: h.Opcode}
		if head == 0 {
			head = min(len(d.octets), codec.MaxHeaderSize)
		}
		d.frame.header = bytes.Clone(d.octets[:head])
		needs := 2 // the MASK bit is there
		if h.Opcode.IsControl() {
			needs = d.frame.head + int(h.PayloadLength)
		}
		if len(d.octets) >= needs && (d.frame.head > 0 || err != nil) || d.end {
			return nil
		}
		if err := d.fill(); err != nil {
			return err
		}
	}
}

// readFrame lets the parser take the frame that begin has found, and shows it.
func (d *decoder) readFrame() error {
	f := &d.frame
	d.frames++
	for {
		ev, n, err := d.parser.Next(d.octets)
		if err != nil {
			return d.violation(err)
		}
		if ev.Opcode == 0 {
			return d.truncated()
		}
		d.octets = d.octets[n:]
		f.add(ev.Payload, d.max)
		f.opcode = ev.Opcode
		if f.seen == f.h.PayloadLength {
			f.show(d.out, d.max)
			return nil
		}
		if len(d.octets) == 0 {
			if err := d.fill(); err != nil {
				return err
			}
		}
	}
}

// violation shows the frame that breaks a rule and returns which.
func (d *decoder) violation(err error) error {
	f, at, hint := &d.frame, d.parser.InputOffset(), ""
	if f.head == 0 { // the rest of it means nothing
		f.header = f.header[:at-f.offset+1]
	}
	d.peek()
	f.show(d.out, d.max)
	if broken, ok := errors.AsType[*codec.ProtocolError](err); ok {
		line(d.out, "violation", "octet %d: %v, close code %d %v", at, broken.Rule, broken.Code, broken.Code)
	}
	if spelt, _ := parseHex([]string{string(d.octets[:min(2, len(d.octets))])}); at == 0 && len(spelt) == 1 {
		hint = "; if the input is hex in letters, give it as an argument"
	}
	return fmt.Errorf("octet %d: %w%s", at, trim(err), hint)
}

// truncated shows the frame inside which the input ends.
func (d *decoder) truncated() error {
	f := &d.frame
	d.peek()
	f.show(d.out, d.max)
	at := d.parser.InputOffset() + int64(len(d.octets))
	n, least := f.missing()
	line(d.out, "missing", "%s%s", least, count(n))
	return fmt.Errorf("octet %d: the input ends inside frame %d, %s%s missing", at, f.number, least, count(n))
}

// peek adds to a control frame the payload that the parser did not take. It is
// for show only, and octets stay as they are.
func (d *decoder) peek() {
	f := &d.frame
	if f.head == 0 || !f.h.Opcode.IsControl() {
		return
	}
	payload := bytes.Clone(d.octets[f.head:min(len(d.octets), f.head+int(f.h.PayloadLength))])
	if f.h.Masked {
		mask.XOR(payload, f.h.MaskingKey)
	}
	f.add(payload, d.max)
}

// ignoreRest reads to the end of a stream that a close frame has closed.
func (d *decoder) ignoreRest() error {
	at := d.parser.InputOffset()
	for {
		_, n, _ := d.parser.Next(d.octets) // it takes all and says nothing
		d.octets = d.octets[n:]
		if d.end {
			break
		}
		if err := d.fill(); err != nil {
			return err
		}
	}
	if n := d.parser.InputOffset() - at; n > 0 {
		fmt.Fprintf(d.out, "\noctet %d: %s behind the close frame, ignored\n", at, count(n))
	}
	return nil
}
