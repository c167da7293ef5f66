package reactor

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/hybi-go/hybi/codec"
)

// Sizes that every idle connection, or every call, pays for.
func TestSizes(t *testing.T) {
	for _, x := range []struct {
		what      string
		got, most uintptr
	}{
		{"slot", unsafe.Sizeof(slot{}), 160},
		{"Conn", unsafe.Sizeof(Conn{}), 16},
		{"Handle", unsafe.Sizeof(Handle{}), 16},
		{"entry", unsafe.Sizeof(entry{}), 80},
		{"generation", unsafe.Sizeof(atomic.Uint32{}), 4},
	} {
		if x.got > x.most {
			t.Errorf("%s: %d octets, more than %d", x.what, x.got, x.most)
		}
	}
}

// TestWheel plays at random against a model: a map of due ticks.
func TestWheel(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var b slab
		var w wheel
		b.init(300)
		now := tick(1 + rng.IntN(2000))
		if seed%3 == 0 {
			now = tick(1<<32 - 1000) // the clock wraps around during the test
		}
		w.init(now)
		model := map[int32]tick{}
		var slots []int32
		for range 300 {
			index, _ := b.take()
			slots = append(slots, index)
		}
		for range 3000 {
			index := slots[rng.IntN(len(slots))]
			s := b.at(index)
			switch rng.IntN(8) {
			case 0, 1, 2, 3: // file, or file anew, often in the same list
				w.unfile(&b, s)
				due := now + tick(rng.IntN(3*wheelSize)) - 3
				if due == 0 {
					due = 1
				}
				w.file(&b, index, s, due)
				model[index] = s.due
			case 4:
				w.unfile(&b, s)
				w.unfile(&b, s) // twice does no harm
				delete(model, index)
			case 5, 6:
				now += tick(rng.IntN(4))
				checkAdvance(t, &w, &b, now, model)
			case 7:
				now += tick(rng.IntN(4 * wheelSize))
				checkAdvance(t, &w, &b, now, model)
			}
			checkWait(t, &w, model)
		}
	}
}

func checkAdvance(t *testing.T, w *wheel, b *slab, now tick, model map[int32]tick) {
	t.Helper()
	var want []int32
	for index, due := range model {
		if int32(due-now) <= 0 {
			want = append(want, index)
			delete(model, index)
		}
	}
	got := w.advance(b, now, nil)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("at %d: due %v, want %v", now, got, want)
	}
	for _, index := range got {
		if b.at(index).due != 0 {
			t.Fatalf("slot %d is due and still filed", index)
		}
	}
}

// checkWait checks that the loop wakes up no later than the earliest deadline,
// and for a list that is not empty.
func checkWait(t *testing.T, w *wheel, model map[int32]tick) {
	t.Helper()
	want := tick(0)
	for _, due := range model {
		if in := (due - w.at - 1) % wheelSize; want == 0 || in+1 < want {
			want = in + 1
		}
	}
	if got := w.wait(); got != want {
		t.Fatalf("wait %d ticks, want %d", got, want)
	}
}

func TestSlab(t *testing.T) {
	var b slab
	const capacity = 2*chunkSlots + 10 // three chunks
	b.init(capacity)
	seen := map[int32]bool{}
	for {
		index, s := b.take()
		if s == nil {
			break
		}
		if seen[index] || b.at(index) != s || s.phase != phaseFree {
			t.Fatalf("slot %d: seen %v, %+v", index, seen[index], s)
		}
		seen[index] = true
		s.fd, s.user, s.flags = 7, "tenant", flagClient
	}
	if len(seen) != 3*chunkSlots || b.live != len(seen) || len(seen) < capacity {
		t.Fatalf("%d slots, %d live", len(seen), b.live)
	}
	first := b.at(0)
	for index := range seen {
		gen := b.gen(index).Load()
		b.put(index, b.at(index))
		if s := b.at(index); b.gen(index).Load() != gen+1 || s.user != nil || s.flags != 0 || s.fd != -1 {
			t.Fatalf("slot %d keeps something: %+v", index, s)
		}
	}
	if b.live != 0 || b.at(0) != first {
		t.Errorf("%d live; slots have moved: %v", b.live, b.at(0) != first)
	}
}

// Pooled memory by classes, against a count: none is spoilt by another, and the largest are not kept. Hazard 27.
func TestMemory(t *testing.T) {
	p := pool{limit: 8 << 20}
	m := memory{pool: &p}
	rng := rand.New(rand.NewPCG(1, 1))
	var held [][]byte
	sum := func() (n int64) {
		for _, b := range held {
			n += int64(cap(b))
		}
		return n
	}
	for range 20000 {
		switch {
		case rng.IntN(2) == 0 && len(held) > 0:
			i := rng.IntN(len(held))
			m.Free(held[i])
			held = slices.Delete(held, i, i+1)
		case rng.IntN(2) == 0 && len(held) > 0:
			i := rng.IntN(len(held))
			before := string(held[i])
			b, err := m.Grow(held[i], 1+rng.IntN(5000))
			if string(b) != before {
				t.Fatal("Grow has changed what was there")
			}
			if err == nil {
				b = append(b, before[:min(len(before), cap(b)-len(b))]...)
			} else if !errors.Is(err, ErrMemory) {
				t.Fatal(err)
			}
			held[i] = b
		default:
			n := 1 << rng.IntN(22)
			n -= rng.IntN(n)
			b, err := m.take(n)
			if err != nil {
				if sum()+int64(n) <= p.limit/2 {
					t.Fatalf("no %d octets with %d of %d lent", n, sum(), p.limit)
				}
				continue
			}
			if len(b) != 0 || cap(b) < n || cap(b) >= max(2*n, 1<<minClassBits+1) {
				t.Fatalf("asked for %d octets: length %d, capacity %d", n, len(b), cap(b))
			}
			held = append(held, b)
		}
		if got := p.lent.Load(); got != sum() || got > p.limit {
			t.Fatalf("%d octets counted, %d lent, limit %d", got, sum(), p.limit)
		}
	}
	for _, b := range held {
		m.Free(b)
	}
	if p.lent.Load() != 0 || len(m.headers) != 0 {
		t.Errorf("%d octets and %d headers left", p.lent.Load(), len(m.headers))
	}
	// The largest buffers do not come back from the pool, and no class is
	// spoilt by another.
	big, _ := m.take(2 << 20)
	address := unsafe.SliceData(big)
	m.Free(big)
	if again, _ := m.take(2 << 20); unsafe.SliceData(again) == address {
		t.Error("a buffer above 1 MiB was kept")
	} else {
		m.Free(again)
	}
	for bits := minClassBits; bits <= maxClassBits; bits++ {
		b, _ := m.take(1 << bits)
		m.Free(b)
		if b, _ = m.take(1<<bits - 1); cap(b) != 1<<bits {
			t.Errorf("class %d gives a capacity of %d", bits, cap(b))
		}
		m.Free(b)
	}
}

// A growing message is copied a logarithmic number of times.
func TestMemoryGrowsByClass(t *testing.T) {
	p := pool{limit: 1 << 30}
	m := memory{pool: &p}
	var b []byte
	moves := 0
	for len(b) < 16<<20 {
		grown, err := m.Grow(b, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if b == nil || unsafe.SliceData(grown) != unsafe.SliceData(b) {
			moves++
		}
		b = append(grown, make([]byte, 1000)...)
	}
	if moves > 16 {
		t.Errorf("%d moves for 16 MiB", moves)
	}
	m.Free(b)
}

func TestInbox(t *testing.T) {
	wakes := 0
	in := inbox{maxEntries: 4, maxOctets: 10, wake: func() { wakes++ }}
	put := func(n int) error { return in.put(entry{kind: entrySend, size: n}, make([]byte, n)) }
	for i, x := range []struct {
		n    int
		want error
	}{{6, nil}, {5, ErrInboxFull}, {4, nil}, {1, ErrInboxFull}, {0, nil}, {0, nil}, {0, ErrInboxFull}} {
		if err := put(x.n); err != x.want {
			t.Errorf("entry %d: %v, want %v", i, err, x.want)
		}
	}
	if wakes != 1 || !in.signalled.Load() {
		t.Errorf("woken %d times", wakes)
	}
	entries, octets, shutdown, abort := in.swap(nil, nil)
	if len(entries) != 4 || entries[0].size != 6 || entries[1].size != 4 || len(octets) != 10 || shutdown || abort {
		t.Errorf("got %d entries, %d octets, %v, %v", len(entries), len(octets), shutdown, abort)
	}
	if err := put(10); err != nil || wakes != 2 {
		t.Errorf("after the swap: %v, woken %d times", err, wakes)
	}
	in.command(false)
	in.command(true)
	in.command(false)
	if _, _, shutdown, abort = in.swap(entries, octets); !shutdown || !abort || wakes != 2 {
		t.Errorf("commands: %v, %v, woken %d times", shutdown, abort, wakes)
	}
	if in.put(entry{kind: entryRun}, nil) != nil || len(in.close()) != 1 || put(1) != ErrClosed {
		t.Error("close")
	}
	// The loop has given back what it is woken by.
	before := wakes
	in.swap(nil, nil)
	in.command(true)
	if wakes != before {
		t.Error("a closed inbox wakes its loop")
	}
}

// A run of the inbox that was large once does not keep its memory for ever.
func TestInboxShrinks(t *testing.T) {
	in := inbox{maxEntries: 1 << 20, maxOctets: 1 << 30, wake: func() {}}
	for range 100000 {
		in.put(entry{kind: entrySend, size: 100}, make([]byte, 100))
	}
	var entries []entry
	var octets []byte
	for range 6 {
		in.put(entry{kind: entrySend, size: 1}, []byte{1})
		entries, octets, _, _ = in.swap(entries, octets)
	}
	if cap(entries) > keepEntries || cap(octets) > keepOctets || cap(in.entries) > keepEntries || cap(in.octets) > keepOctets {
		t.Errorf("kept: %d and %d entries, %d and %d octets", cap(entries), cap(in.entries), cap(octets), cap(in.octets))
	}
}

// An output against a model: whatever is taken, in whatever portions, the
// stream is frames in order, with a pong at a boundary.
func TestOutput(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var o output
		var sent []byte
		var pongs, datas int
		for range 60 {
			switch rng.IntN(3) {
			case 0:
				payload := make([]byte, rng.IntN(300))
				o.buf = codec.AppendFrame(o.buf, codec.Header{FIN: true, Opcode: codec.OpBinary}, payload)
				datas++
			case 1:
				if o.goingOff == o.goingN && o.pongLen == 0 {
					o.pongLen = len(codec.AppendFrame(o.pong[:0], codec.Header{FIN: true, Opcode: codec.OpPong}, make([]byte, rng.IntN(126))))
					pongs++
				}
			case 2:
				if o.queued() > 0 {
					before := o.queued()
					b := o.next()
					n := rng.IntN(len(b) + 1)
					sent = append(sent, b[:n]...)
					o.took(n)
					if o.queued() != before-n {
						t.Fatalf("%d octets queued after %d of %d were taken", o.queued(), n, before)
					}
				}
			}
		}
		dropped := rng.IntN(2) == 0
		if dropped {
			o.dropFrames()
		}
		for o.queued() > 0 {
			b := o.next()
			sent = append(sent, b...)
			o.took(len(b))
		}
		for len(sent) > 0 {
			h, n, err := codec.ParseHeader(sent)
			if err != nil || n == 0 || int(h.PayloadLength) > len(sent)-n {
				t.Fatalf("seed %d: a frame is cut", seed)
			}
			if h.Opcode == codec.OpPong {
				pongs--
			} else {
				datas--
			}
			sent = sent[n+int(h.PayloadLength):]
		}
		if !dropped && (pongs != 0 || datas != 0) || pongs < 0 || datas < 0 {
			t.Fatalf("seed %d: %d pongs and %d messages missing", seed, pongs, datas)
		}
	}
}

func TestConfigIsJudged(t *testing.T) {
	for name, c := range map[string]Config{
		"Loops": {Loops: -1}, "MaxMessage": {MaxMessage: -1}, "MaxFragments": {MaxFragments: -1}, "MaxHead": {MaxHead: 1},
		"MaxHeaders": {MaxHeaders: 1}, "MaxQueued": {MaxMessage: 1000, MaxQueued: 1013}, "MaxMemory": {MaxMemory: 1},
		"MaxConns": {MaxConns: -1}, "MaxInboxEntries": {MaxInboxEntries: -1}, "MaxInboxOctets": {MaxInboxOctets: -1}, "Policy": {Policy: 9},
	} {
		if r, err := New(c); err == nil || r != nil {
			t.Errorf("%s: %+v is let through", name, c)
		}
	}
	c := Config{MaxMessage: 1000}
	if err := c.complete(); err != nil || c.MaxQueued != 1014 || c.MaxConns < 1 {
		t.Errorf("%v, %+v", err, c)
	}
}
