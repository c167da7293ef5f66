package reactor

import (
	"math/bits"
	"sync/atomic"

	"github.com/valyala/bytebufferpool"
)

// What cannot stay in a loop's shared buffers waits in pooled memory: the
// incomplete message of a slow sender, the unsent output of a slow reader. One
// pool for all sizes does harm: after a large Put the next small Get is large
// too. So there is a pool for each power of two, and buffers grow by class as
// octets arrive. Nothing above the largest class is kept. What is lent is counted
// in capacity and held against Config.MaxMemory.

const (
	minClassBits = 9  // 512 octets
	maxClassBits = 20 // 1 MiB
)

// A pool is shared by the loops of a reactor.
type pool struct {
	classes [maxClassBits - minClassBits + 1]class
	limit   int64
	lent    atomic.Int64 // octets of capacity
}

// A class is the pool of one size. Pool's counters are 64-bit ones of the plain
// kind, which 32-bit machines must find aligned: the field of no size sees to it.
type class struct {
	_ [0]atomic.Uint64
	bytebufferpool.Pool
}

// memory is one loop's access to the pool. It keeps the empty headers of
// buffers in use, so that a slice is enough to hold a buffer by. It is the
// codec.Source of the loop.
type memory struct {
	pool    *pool
	headers []*bytebufferpool.ByteBuffer
}

// take returns an empty buffer with room for at least n octets.
func (m *memory) take(n int) ([]byte, error) {
	class := max(bits.Len(uint(n-1)), minClassBits)
	size := 1 << class
	if size < n { // an int of 32 bits has no such power of two
		return nil, ErrMemory
	}
	if m.pool.lent.Add(int64(size)) > m.pool.limit {
		m.pool.lent.Add(-int64(size))
		return nil, ErrMemory
	}
	if class > maxClassBits {
		return make([]byte, 0, size), nil
	}
	bb := m.pool.classes[class-minClassBits].Get()
	b := bb.B[:0]
	bb.B = nil
	m.headers = append(m.headers, bb)
	if cap(b) != size {
		b = make([]byte, 0, size)
	}
	return b, nil
}

// Free takes back a buffer that take or Grow returned.
func (m *memory) Free(b []byte) {
	size := cap(b)
	m.pool.lent.Add(-int64(size))
	class := bits.Len(uint(size - 1))
	if class > maxClassBits {
		return
	}
	last := len(m.headers) - 1
	bb := m.headers[last]
	m.headers[last] = nil
	m.headers = m.headers[:last]
	// At full length, so that the pool's calibration sees buffers of one size.
	bb.B = b[:size]
	m.pool.classes[class-minClassBits].Put(bb)
}

// Grow returns b's octets in a buffer with room for n more, and frees b.
func (m *memory) Grow(b []byte, n int) ([]byte, error) {
	if cap(b)-len(b) >= n && cap(b) > 0 {
		return b, nil
	}
	grown, err := m.take(max(len(b)+n, 1))
	if err != nil {
		return b, err
	}
	grown = append(grown, b...)
	if cap(b) > 0 {
		m.Free(b)
	}
	return grown, nil
}
