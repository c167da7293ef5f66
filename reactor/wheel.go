package reactor

import (
	"math/bits"
	"time"
)

// Deadlines are kept in a timing wheel (Varghese and Lauck, "Hashed and
// Hierarchical Timing Wheels", 1987): a ring of lists of slots, one list for each
// coarse tick. A connection stands in one list at most, for the earliest of its
// deadlines, and is looked at when that tick comes. Traffic that puts a deadline
// off moves nothing: the look finds that it is not due, and files it anew. So a
// message costs the wheel nothing, an idle connection twelve octets.

// tickLength is how coarse deadlines are: they strike up to one tick late, never
// early.
const tickLength = 50 * time.Millisecond

const wheelSize = 512 // ticks in a turn, 25.6 s; a power of two

// A tick counts from the loop's start, in tickLength; 0 is no time at all.
type tick uint32

// noSlot ends a list.
const noSlot = -1

type wheel struct {
	at    tick // all ticks up to this one have been dealt with
	heads [wheelSize]int32
	used  [wheelSize / 64]uint64 // a bit for each list that is not empty
}

func (w *wheel) init(now tick) {
	w.at = now
	for i := range w.heads {
		w.heads[i] = noSlot
	}
}

// ticks returns how many ticks d is, rounded up, one more for the tick that has
// begun.
func ticks(d time.Duration) tick {
	return tick(min((d-1)/tickLength+1, 1<<30)) + 1
}

// file puts s, which is in no list, in the one for due.
func (w *wheel) file(slab *slab, index int32, s *slot, due tick) {
	if int32(due-w.at) < 1 {
		due = w.at + 1
	}
	at := due % wheelSize
	s.due, s.prev, s.next = due, noSlot, w.heads[at]
	if s.next != noSlot {
		slab.at(s.next).prev = index
	}
	w.heads[at] = index
	w.used[at/64] |= 1 << (at % 64)
}

// unfile takes s out of its list, if it is in one.
func (w *wheel) unfile(slab *slab, s *slot) {
	if s.due == 0 {
		return
	}
	at := s.due % wheelSize
	if s.prev != noSlot {
		slab.at(s.prev).next = s.next
	} else {
		w.heads[at] = s.next
		if s.next == noSlot {
			w.used[at/64] &^= 1 << (at % 64)
		}
	}
	if s.next != noSlot {
		slab.at(s.next).prev = s.prev
	}
	s.due = 0
}

// wait returns how many ticks from w.at the next list that is not empty stands,
// or 0 if there is none. Its slots may be due in a later turn.
func (w *wheel) wait() tick {
	start := (w.at + 1) % wheelSize
	for i := range tick(len(w.used) + 1) {
		word := (start/64 + i) % tick(len(w.used))
		set := w.used[word]
		switch i {
		case 0:
			set &= ^uint64(0) << (start % 64)
		case tick(len(w.used)):
			set &= 1<<(start%64) - 1
		}
		if set != 0 {
			at := word*64 + tick(bits.TrailingZeros64(set))
			return (at-start)%wheelSize + 1
		}
	}
	return 0
}

// advance takes every slot whose time has come by now out of the wheel and
// appends its index to due. A clock that jumps far costs one turn of the wheel.
func (w *wheel) advance(slab *slab, now tick, due []int32) []int32 {
	if int32(now-w.at) <= 0 {
		return due
	}
	steps := min(now-w.at, wheelSize)
	w.at = now
	for i := range steps {
		at := (now - i) % wheelSize
		if w.used[at/64]&(1<<(at%64)) == 0 {
			continue
		}
		for index := w.heads[at]; index != noSlot; {
			s := slab.at(index)
			next := s.next
			if int32(s.due-now) <= 0 {
				w.unfile(slab, s)
				due = append(due, index)
			}
			index = next
		}
	}
	return due
}
