package codec

// An Opcode says what a frame's payload is: four bits of the frame's first
// octet (RFC 6455 §5.2, §11.8).
type Opcode uint8

// The opcodes that RFC 6455 defines. 0x3-0x7 and 0xB-0xF are reserved.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// IsControl reports whether op is one of the control opcodes, reserved ones
// included (RFC 6455 §5.5: the top bit of the four).
func (op Opcode) IsControl() bool { return op&0x8 != 0 }

// IsData reports whether op starts a message: text or binary.
func (op Opcode) IsData() bool { return op == OpText || op == OpBinary }

// IsReserved reports whether RFC 6455 leaves op undefined.
func (op Opcode) IsReserved() bool { return op&0x7 > 2 || op > 0xF }

// String returns RFC 6455's word for op.
func (op Opcode) String() string {
	switch op {
	case OpContinuation:
		return "continuation"
	case OpText:
		return "text"
	case OpBinary:
		return "binary"
	case OpClose:
		return "close"
	case OpPing:
		return "ping"
	case OpPong:
		return "pong"
	}
	const hex = "0123456789ABCDEF"
	if op > 0xF {
		return "no opcode: over 4 bits"
	}
	return "reserved 0x" + hex[op:op+1]
}

// A Role is the side of the connection that an endpoint is on. It decides
// who masks: a client always, a server never (RFC 6455 §5.1).
type Role uint8

// The two roles. The zero Role is Server.
const (
	Server Role = iota
	Client
)

// String returns "server" or "client".
func (r Role) String() string {
	if r == Client {
		return "client"
	}
	return "server"
}
