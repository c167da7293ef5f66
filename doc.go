// Package hybi is the map of a WebSocket (RFC 6455) codec and server; it has no
// code of its own.
//
//	mask       XOR with the masking-key: words, SSE2, AVX2, AVX-512
//	codec      octets to events and back: frames, messages, close codes, UTF-8
//	handshake  the opening handshake, request to answer
//	reactor    connections on epoll loops (Linux)
//	cmd/hybi   the program: an echo server, a load generator, frames explained and written
//
// The first three know no socket, no file and no clock: the caller brings the
// octets and takes them away. Imports run one way:
//
//	mask ◄── codec ◄── reactor ◄── cmd/hybi
//	     handshake ◄──┘  └──► internal/poll
//
// What is promised, in this order: strict (what RFC 6455 allows and nothing
// else), bounded (no peer can make it hold more memory, time or descriptors than
// configured), fast, small.
//
// Begin with codec, if you have an event loop of your own; with reactor, if
// you want one.
package hybi
