// Package codec turns the octets of a WebSocket connection into events and
// back, as RFC 6455 §5 and §7 say. It knows no socket, no file and no clock: the
// caller brings the octets and takes them away ("sans-IO").
//
// # Reading
//
// A Parser is given what has arrived and says what it means:
//
//	var p codec.Parser // a server's; see Config for a client's, and for limits
//	for {
//		ev, n, err := p.Next(in)
//		in = in[n:]
//		switch {
//		case err != nil:          // a *ProtocolError: fail the connection with its Code
//		case ev.Opcode == 0:      // read more behind what is left of in
//		case ev.Opcode.IsData():  // a message, or a piece of one: see Assembler
//		case ev.Opcode == codec.OpPing, …
//		}
//	}
//
// It accepts what RFC 6455 allows and nothing else; what it refuses is the list
// of Rules. An Assembler above it joins the pieces of messages that were fragmented
// or cut by reads. ParseHeader decodes one header for those who need only that.
//
// # Closing
//
// A close frame must not be lost to a reset. Write it, shut the writing side of the
// socket, read into the void until the peer has shut its own or for a bounded
// time, and only then close the socket. To a peer's close frame answer with one of
// the same code; to an error with its Code. ExampleParser_server is a server.
//
// # Writing
//
// AppendFrame, AppendClose and AppendHeader append to a slice of the caller's. A
// client masks, with a new key for each frame from Keys.
//
// # Memory
//
// Payloads are not copied: they are unmasked in place and alias the input. A
// Parser is some 60 octets without a pointer and holds no payload; of a
// header or control frame that is cut by the end of the input it takes nothing,
// and the caller keeps those octets, MaxControlSize-1 at most. Declared lengths cost
// nothing: they are held against the limit before a payload is awaited, and an
// Assembler's memory grows with what has arrived.
//
// # Security
//
// Decoding is not constant-time, and masking is no encryption. Set
// Config.MaxMessage and Config.MaxFragments on any connection whose messages are
// gathered: the zero Parser limits neither.
package codec
