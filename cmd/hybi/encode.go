package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/mask"
)

var encodeCommand = command{
	name:     "encode",
	summary:  "write a message as frames",
	operands: "[TEXT | @FILE | -]",
	about: `Writes one message, or one control frame, as it goes over the wire: in hex on
one line, or with -out raw as the octets themselves. The payload is TEXT, the
octets of FILE, standard input for -, or nothing without an argument. TEXT that
begins with @ comes by standard input.

    $ hybi encode -role server Hello
    810548656c6c6f
    $ hybi encode -key 37fa213d Hello
    818537fa213d7f9f4d5158
    $ hybi encode -role server -fragment 3 Hello
    010348656c80026c6f
    $ hybi encode -opcode close -code 1000 "good bye"
    $ hybi encode -opcode binary -out raw @picture.png > picture.frames

What it writes, hybi decode reads:

    hybi decode $(hybi encode hello)
    hybi encode -out raw hello | hybi decode

What must not be sent is refused: text that is not UTF-8, a control frame over
125 octets or in fragments, a close code or reason that RFC 6455 does not allow.
Status 1 means that, or that the payload could not be read; 2 that the command
line is wrong.
`,
	flags: func(fs *flag.FlagSet) func() error {
		o := encodeOptions{code: uint(codec.CloseNoStatus)}
		fs.StringVar(&o.opcode, "opcode", "text", "`KIND` of the message: text, binary, close, ping or pong")
		fs.StringVar(&o.role, "role", "client", "the `SENDER`: client, who masks every frame, or server, who masks none")
		fs.StringVar(&o.key, "key", "", "mask every frame with this `KEY` of 8 hex digits, so that the output can be foretold;\nempty: a random key for each frame")
		fs.IntVar(&o.fragment, "fragment", 0, "cut the payload into frames of `N` octets; 0: one frame")
		fs.UintVar(&o.code, "code", o.code, "the close `CODE`, the payload being the reason; 1005: a close frame without a code")
		fs.StringVar(&o.out, "out", "hex", "the `FORM` of the output, hex or raw")
		return func() error {
			if err := o.run(fs.Args(), os.Stdin, fs.Output()); err != nil {
				return fmt.Errorf("encode: %w", err)
			}
			return nil
		}
	},
}

type encodeOptions struct {
	opcode, role, key, out string
	fragment               int
	code                   uint
}

// roles and opcodes by the words of the command line.
var (
	roles   = map[string]codec.Role{"client": codec.Client, "server": codec.Server}
	opcodes = map[string]codec.Opcode{"text": codec.OpText, "binary": codec.OpBinary,
		"close": codec.OpClose, "ping": codec.OpPing, "pong": codec.OpPong}
)

// check finds what is wrong with the flags and args, each by itself and together.
func (o *encodeOptions) check(args []string) error {
	op, known := opcodes[o.opcode]
	role, side := roles[o.role]
	switch {
	case len(args) > 1:
		return errors.New("takes one TEXT, not several: quote it, and put flags ahead of it")
	case !known:
		return fmt.Errorf("-opcode %q: it must be text, binary, close, ping or pong", o.opcode)
	case !side:
		return fmt.Errorf("-role %q: it must be client or server", o.role)
	case o.out != "hex" && o.out != "raw":
		return fmt.Errorf("-out %q: it must be hex or raw", o.out)
	case o.fragment < 0:
		return fmt.Errorf("-fragment %d: it must be 0 or more", o.fragment)
	case o.key != "" && role == codec.Server:
		return errors.New("-key: a server masks no frame")
	case o.code > math.MaxUint16:
		return fmt.Errorf("-code %d: a close code has 16 bits", o.code)
	case o.code != uint(codec.CloseNoStatus) && op != codec.OpClose:
		return fmt.Errorf("-code: a %v frame has none, only -opcode close", op)
	}
	return nil
}

func (o *encodeOptions) run(args []string, stdin io.Reader, stdout io.Writer) error {
	if err := o.check(args); err != nil {
		return usageError{err}
	}
	keys, err := o.keys()
	if err != nil {
		return usageError{err}
	}
	payload, err := readPayload(args, stdin)
	if err != nil {
		return err
	}
	op := opcodes[o.opcode]
	if op == codec.OpClose {
		if payload, err = o.closePayload(string(payload)); err != nil {
			return err
		}
	}
	frames, err := o.frames(op, payload, keys)
	if err != nil {
		return err
	}
	if err := judge(frames, roles[o.role]); err != nil {
		return trim(err)
	}
	if o.out == "raw" {
		_, err = stdout.Write(frames)
	} else {
		_, err = fmt.Fprintf(stdout, "%x\n", frames)
	}
	return err
}

// closePayload returns the payload of a close frame with this reason.
func (o *encodeOptions) closePayload(reason string) ([]byte, error) {
	payload, err := codec.AppendClosePayload(nil, codec.CloseCode(o.code), reason)
	switch {
	case errors.Is(err, codec.ErrSendCloseCode) && o.code == uint(codec.CloseNoStatus):
		return nil, errors.New("a close reason needs a code: give one, such as -code 1000")
	case errors.Is(err, codec.ErrSendCloseCode):
		return nil, fmt.Errorf("-code %d cannot be sent: use 1000-1003, 1007-1014 or 3000-4999, or -code 1005 without a reason for a close frame without a code", o.code)
	case err != nil:
		return nil, trim(err)
	}
	return payload, nil
}

// keys returns what gives each frame its masking-key.
func (o *encodeOptions) keys() (next func() (mask.Key, error), err error) {
	if o.key == "" {
		return codec.NewKeys(rand.Reader).Next, nil
	}
	octets, err := parseHex([]string{o.key})
	if err != nil || len(octets) != len(mask.Key{}) {
		return nil, fmt.Errorf("-key %q: it must be 8 hex digits, 4 octets", o.key)
	}
	return func() (mask.Key, error) { return mask.Key(octets), nil }, nil
}

// frames cuts payload into the frames of one message.
func (o *encodeOptions) frames(op codec.Opcode, payload []byte, key func() (mask.Key, error)) (dst []byte, err error) {
	h := codec.Header{Opcode: op, Masked: roles[o.role] == codec.Client}
	size := len(payload)
	if o.fragment > 0 {
		size = o.fragment
	}
	for !h.FIN {
		piece := payload[:min(size, len(payload))]
		payload = payload[len(piece):]
		h.FIN = len(payload) == 0
		if h.Masked {
			if h.MaskingKey, err = key(); err != nil {
				return nil, err
			}
		}
		dst = codec.AppendFrame(dst, h, piece)
		h.Opcode = codec.OpContinuation
	}
	return dst, nil
}

// judge returns what the other side would say to frames, without changing them.
func judge(frames []byte, sender codec.Role) error {
	var p codec.Parser
	p.Reset(codec.Config{Role: receiver(sender)})
	for in := bytes.Clone(frames); len(in) > 0; {
		_, n, err := p.Next(in)
		if err != nil {
			return err
		}
		in = in[n:]
	}
	return nil
}

// receiver returns the role of the side that sender's frames go to.
func receiver(sender codec.Role) codec.Role {
	return codec.Server + codec.Client - sender
}

// readPayload returns the octets that the operand stands for.
func readPayload(args []string, stdin io.Reader) ([]byte, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if args[0] == "-" {
		return io.ReadAll(stdin)
	}
	if name, ok := strings.CutPrefix(args[0], "@"); ok {
		return os.ReadFile(name)
	}
	return []byte(args[0]), nil
}

// trim takes the package's name off an error of codec, as execute puts the
// program's ahead of it.
func trim(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "hybi: "))
}
