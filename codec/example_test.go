package codec_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing/iotest"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/mask"
)

// Decode a stream from an io.Reader with one fixed buffer, whatever the reads
// bring. Large messages come in pieces; what a cut header leaves is moved to
// the front.
func ExampleParser() {
	wire := "\x81\x05Hello" + "\x89\x02hi" + "\x82\x7e\x00\xc8" + strings.Repeat("large", 40) + "\x88\x02\x03\xe8"
	connection := iotest.HalfReader(strings.NewReader(wire)) // any net.Conn

	var p codec.Parser
	p.Reset(codec.Config{Role: codec.Client, MaxMessage: 1 << 20, MaxFragments: 1024})
	buffer := make([]byte, codec.MaxControlSize) // the least that will do
	have := 0
	for {
		n, err := connection.Read(buffer[have:])
		have += n
		in := buffer[:have]
		for {
			ev, n, err := p.Next(in)
			if err != nil {
				fmt.Println(err)
				return
			}
			in = in[n:]
			if ev.Opcode == 0 {
				break
			}
			fmt.Printf("%v %.5q of %d octets, first %v, last %v\n", ev.Opcode, ev.Payload, len(ev.Payload), ev.First, ev.Last)
		}
		have = copy(buffer, in)
		if err == io.EOF {
			return
		}
	}
	// Output:
	// text "Hello" of 5 octets, first true, last true
	// ping "hi" of 2 octets, first true, last true
	// binary "large" of 51 octets, first true, last false
	// binary "argel" of 66 octets, first false, last false
	// binary "rgela" of 66 octets, first false, last false
	// binary "gelar" of 17 octets, first false, last true
	// close "\x03\xe8" of 2 octets, first true, last true
}

// Serve a connection: an echo with pongs, both ways to close, and an end that loses
// nothing. A real one also sets deadlines.
func ExampleParser_server() {
	client, server := net.Pipe()
	go serve(server)

	key := mask.Key{0x37, 0xfa, 0x21, 0x3d}
	for _, m := range []struct {
		op      codec.Opcode
		payload string
	}{{codec.OpText, "Hello"}, {codec.OpPing, "?"}, {codec.OpClose, "\x03\xe8done"}} {
		h := codec.Header{FIN: true, Opcode: m.op, Masked: true, MaskingKey: key}
		client.Write(codec.AppendFrame(nil, h, []byte(m.payload)))
		answer := make([]byte, 100)
		n, _ := client.Read(answer)
		fmt.Printf("%q\n", answer[:n])
	}
	client.Close()
	// Output:
	// "\x81\x05Hello"
	// "\x8a\x01?"
	// "\x88\x02\x03\xe8"
}

// serve is a server's end, from behind the opening handshake.
func serve(conn net.Conn) {
	defer conn.Close()
	var p codec.Parser
	p.Reset(codec.Config{MaxMessage: 1 << 20, MaxFragments: 1024})
	var a codec.Assembler
	buffer := make([]byte, 4096) // at least codec.MaxControlSize
	var out []byte
	have, ended := 0, false
	for !ended {
		n, err := conn.Read(buffer[have:])
		if err != nil {
			return
		}
		in := buffer[:have+n]
		in, out, ended = answer(&p, &a, in, out[:0])
		have = copy(buffer, in)
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
	if half, ok := conn.(*net.TCPConn); ok {
		half.CloseWrite()
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	io.Copy(io.Discard, conn)
}

// answer appends the answers to what is in in, and returns what is left of it, and
// whether the last answer is a close frame.
func answer(p *codec.Parser, a *codec.Assembler, in, out []byte) (rest, answers []byte, ended bool) {
	for {
		ev, n, err := p.Next(in)
		in = in[n:]
		var violation *codec.ProtocolError
		switch {
		case errors.As(err, &violation):
			out, _ = codec.AppendClose(out, violation.Code, "")
			return nil, out, true
		case ev.Opcode == 0:
			return in, out, false
		case ev.Opcode.IsData():
			if message, whole, _ := a.Add(ev, nil); whole {
				out = codec.AppendServerFrame(out, ev.Opcode, message)
				a.Release(nil)
			}
		case ev.Opcode == codec.OpPing:
			out = codec.AppendServerFrame(out, codec.OpPong, ev.Payload)
		case ev.Opcode == codec.OpClose:
			code, _ := codec.ParseClose(ev.Payload)
			out, _ = codec.AppendClose(out, code, "")
			return nil, out, true
		}
	}
}

// Write a client's frames: each is masked with a key of its own.
func ExampleKeys() {
	keys := codec.NewKeys(rand.Reader)
	var out []byte
	for _, text := range []string{"Hello", "World"} {
		key, err := keys.Next()
		if err != nil {
			fmt.Println(err)
			return
		}
		h := codec.Header{FIN: true, Opcode: codec.OpText, Masked: true, MaskingKey: key}
		out = codec.AppendFrame(out, h, []byte(text))
	}

	// A server reads them.
	var p codec.Parser
	for len(out) > 0 {
		ev, n, err := p.Next(out)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(string(ev.Payload))
		out = out[n:]
	}
	// Output:
	// Hello
	// World
}

// Join a message that came in fragments, with a ping between them.
func ExampleAssembler() {
	in := []byte("\x01\x06It is " + "\x89\x00" + "\x80\x0bone message")
	var p codec.Parser
	p.Reset(codec.Config{Role: codec.Client, MaxMessage: 1 << 20, MaxFragments: 1024})
	var a codec.Assembler
	var source codec.Source // nil: from the heap
	var out []byte
	for len(in) > 0 {
		ev, n, err := p.Next(in)
		if err != nil {
			fmt.Println(err)
			return
		}
		in = in[n:]
		switch {
		case ev.Opcode.IsData():
			message, whole, err := a.Add(ev, source)
			if err != nil {
				fmt.Println(err)
				return
			}
			if whole {
				fmt.Printf("%v %q\n", ev.Opcode, message)
				a.Release(source)
			}
		case ev.Opcode == codec.OpPing:
			out = codec.AppendFrame(out, codec.Header{FIN: true, Opcode: codec.OpPong}, ev.Payload)
			fmt.Println("ping, answered")
		}
	}
	// Output:
	// ping, answered
	// text "It is one message"
}

// Say why a stream is refused, where, and what to answer.
func ExampleProtocolError() {
	in := []byte("\x89\x00" + "\x81\x04caf\xe9") // Latin-1
	var p codec.Parser
	p.Reset(codec.Config{Role: codec.Client})
	for {
		ev, n, err := p.Next(in)
		in = in[n:]
		var broken *codec.ProtocolError
		if errors.As(err, &broken) {
			answer, _ := codec.AppendClose(nil, broken.Code, broken.Rule.String())
			fmt.Printf("octet %d: %v\n", p.InputOffset(), err)
			fmt.Printf("answer %d: % x\n", broken.Code, answer[:4])
			return
		}
		if ev.Opcode == 0 {
			return // no fault so far
		}
		fmt.Printf("%v %q\n", ev.Opcode, ev.Payload)
	}
	// Output:
	// ping ""
	// text "caf"
	// octet 7: hybi: text message is not UTF-8: send other octets as binary (RFC 6455 §8.1)
	// answer 1007: 88 0b 03 ef
}

// Where a read brings many short messages, take them by runs, and by Next what is none.
func ExampleParser_NextRun() {
	var in []byte // what a read has brought
	for _, word := range []string{"many", "short", "", "messages"} {
		h := codec.Header{FIN: true, Opcode: codec.OpText, Masked: true, MaskingKey: mask.Key{0x37, 0xfa, 0x21, 0x3d}}
		if word == "" {
			h.Opcode = codec.OpPing
		}
		in = codec.AppendFrame(in, h, []byte(word))
	}

	var p codec.Parser
	spans := make([]codec.Span, 64) // once, for all connections of a loop
	for {
		k, n := p.NextRun(in, spans)
		for _, s := range spans[:k] {
			fmt.Printf("%v %s\n", s.Opcode, s.Payload(in))
		}
		in = in[n:]
		if k == len(spans) {
			continue // there may be more
		}
		ev, n, err := p.Next(in)
		in = in[n:]
		if err != nil {
			fmt.Println("fail the connection:", err)
			return
		}
		if ev.Opcode == 0 {
			fmt.Printf("%d octets are left: read on behind them\n", len(in))
			return
		}
		fmt.Printf("%v, by Next\n", ev.Opcode) // as in the other examples
	}
	// Output:
	// text many
	// text short
	// ping, by Next
	// text messages
	// 0 octets are left: read on behind them
}
