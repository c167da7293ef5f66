package oracle

import "math/bits"

// Classes is a codec.Source of power-of-two classes, as a connection layer has
// one. It overwrites what comes back, so that octets kept too long show, and
// panics at memory that is not its own or comes back twice.
type Classes struct {
	Fail  error // if not nil, what Grow returns
	Grown int   // successful calls of Grow

	out  map[*byte]int // capacity by first octet
	free map[int][][]byte
}

// Least is the smallest class in octets.
const Least = 64

// NewClasses returns a source that has lent nothing.
func NewClasses() *Classes {
	return &Classes{out: map[*byte]int{}, free: map[int][][]byte{}}
}

// Out returns how many buffers are lent.
func (c *Classes) Out() int { return len(c.out) }

// Grow implements codec.Source.
func (c *Classes) Grow(b []byte, n int) ([]byte, error) {
	if c.Fail != nil {
		return b, c.Fail
	}
	c.Grown++
	class := 1 << bits.Len(uint(max(len(b)+n, Least)-1))
	var grown []byte
	if list := c.free[class]; len(list) > 0 {
		grown, c.free[class] = list[len(list)-1], list[:len(list)-1]
	} else {
		grown = make([]byte, 0, class)
	}
	grown = append(grown[:0], b...)
	c.out[&grown[:1][0]] = class
	if cap(b) > 0 {
		c.Free(b)
	}
	return grown, nil
}

// Free implements codec.Source.
func (c *Classes) Free(b []byte) {
	b = b[:cap(b)]
	if c.out[&b[0]] != len(b) {
		panic("oracle: Classes: not this source's memory, or returned twice")
	}
	delete(c.out, &b[0])
	for i := range b {
		b[i] = 0xDD
	}
	c.free[len(b)] = append(c.free[len(b)], b[:0])
}

// Messages returns the payloads of the whole messages among events.
func Messages(events []Event) (all []string) {
	var message []byte
	for _, e := range events {
		if e.Opcode.IsControl() {
			continue
		}
		if message = append(message, e.Payload...); e.Last {
			all, message = append(all, string(message)), nil
		}
	}
	return all
}
