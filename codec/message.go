package codec

// A Source lends and takes back the memory in which messages are gathered. It
// decides how buffers are sized, shared and limited.
type Source interface {
	// Grow returns a buffer with b's octets and room for at least n more. The
	// memory of b, if it has any, goes back to the Source. If there is no
	// memory to be had, it returns b unchanged and an error.
	Grow(b []byte, n int) ([]byte, error)

	// Free takes back the memory of b.
	Free(b []byte)
}

// An Assembler joins the pieces that a Parser finds into whole messages. It
// holds memory only while a message is incomplete, and only for octets that
// have arrived. Limits are the Parser's. The zero Assembler is ready for use.
type Assembler struct {
	gathered []byte
}

// Add takes an event of a message, not of a control frame. When the message is
// whole, it returns its payload and true. A message that is one event is
// returned as it is, without a copy; others have been gathered in memory from src,
// or from the heap if src is nil. A piece that begins a message drops what is
// left of another.
//
// An error is src's, and the octets of ev are not taken: fail the connection
// and call Release.
//
// The octets are lent: they alias the input, or the gathered memory, and are
// valid only until the input's memory is reused or Release is called.
func (a *Assembler) Add(ev Event, src Source) (message []byte, whole bool, err error) {
	if ev.First && ev.Last {
		return ev.Payload, true, nil
	}
	if ev.First {
		a.gathered = a.gathered[:0]
	}
	if len(ev.Payload) > cap(a.gathered)-len(a.gathered) && src != nil {
		if a.gathered, err = src.Grow(a.gathered, len(ev.Payload)); err != nil {
			return nil, false, err
		}
	}
	a.gathered = append(a.gathered, ev.Payload...)
	return a.gathered, ev.Last, nil
}

// Pending returns how many octets of an incomplete message are gathered, and
// Cap what memory they occupy.
func (a *Assembler) Pending() int { return len(a.gathered) }

// Cap returns the octets of memory that the Assembler holds.
func (a *Assembler) Cap() int { return cap(a.gathered) }

// Release gives the gathered memory back to src, with whatever is in it. Call
// it when a whole message has been used, and when the connection ends.
func (a *Assembler) Release(src Source) {
	if src != nil && cap(a.gathered) > 0 {
		src.Free(a.gathered)
	}
	a.gathered = nil
}
