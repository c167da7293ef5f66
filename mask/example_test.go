package mask_test

import (
	"fmt"

	"github.com/hybi-go/hybi/mask"
)

// A server unmasks a payload as its pieces come from the socket. The key that
// one call returns is the key for the next.
func ExampleXOR() {
	key := mask.Key{0xff, 0xb8, 0xbd, 0xbd}
	pieces := [][]byte{
		{0xb7, 0xdd, 0xd1},
		{0xd1, 0x90, 0x98, 0xea, 0xd2},
		{},
		{0x8d, 0xd4, 0xd9, 0x9c},
	}
	for _, piece := range pieces {
		key = mask.XOR(piece, key)
		fmt.Printf("%s", piece)
	}
	fmt.Println()
	// Output: Hello World!
}

// A client masks a payload behind the frame's header and leaves the payload as
// it was, so that it can be sent again under another key.
func ExampleXORTo() {
	payload := []byte("Hello")
	key := mask.Key{0x37, 0xfa, 0x21, 0x3d} // from crypto/rand in earnest

	frame := []byte{0x81, 0x80 | byte(len(payload))} // FIN and text; MASK bit and length
	frame = append(frame, key[:]...)
	header := len(frame)
	frame = append(frame, payload...)
	mask.XORTo(frame[header:], payload, key)

	fmt.Printf("% x\n%s\n", frame, payload)
	// Output:
	// 81 85 37 fa 21 3d 7f 9f 4d 51 58
	// Hello
}
