//go:build linux

package reactor

// The simulation: the real loop over a kernel that is driven by a seed, with
// peers, a handler, other goroutines and a clock that do what they please, against
// a model of what must come out. Everything follows from the seed:
//
//	go test ./reactor -run TestSimulation                  the usual 20,000
//	go test ./reactor -run TestSimulation -sim.seeds=1000000 -sim.from=5000
//	go test ./reactor -run TestSimulation -sim.seed=17 -v  one, with a trace

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

var (
	simSeed  = flag.Int64("sim.seed", -1, "run this one seed of the simulation and print its trace")
	simSeeds = flag.Uint64("sim.seeds", 0, "number of seeds to run; 0: 20,000, fewer with -short or -race")
	simFrom  = flag.Uint64("sim.from", 0, "the first seed")
)

func TestSimulation(t *testing.T) {
	if *simSeed >= 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		w := newSimWorker(true)
		err := w.run(uint64(*simSeed))
		os.Stdout.WriteString(w.trace.String())
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	n := *simSeeds
	if n == 0 {
		n = 20000
		if raceAllocations > 0 {
			n = 400
		}
		if testing.Short() {
			n = min(n, 1000)
		}
	}
	began := time.Now()
	next, end := atomic.Uint64{}, *simFrom+n
	next.Store(*simFrom)
	var failed atomic.Bool
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 16) {
		wg.Go(func() {
			runtime.LockOSThread() // Config.Poison knows the loop by its thread
			defer runtime.UnlockOSThread()
			w := newSimWorker(false)
			for seed := next.Add(1) - 1; seed < end && !failed.Load(); seed = next.Add(1) - 1 {
				if err := w.run(seed); err != nil && !failed.Swap(true) {
					t.Errorf("seed %d: %v\nafter %d seeds; again, with a trace:\n\tgo test ./reactor -run TestSimulation -sim.seed=%d -v",
						seed, err, seed-*simFrom+1, seed)
				}
			}
		})
	}
	wg.Wait()
	n = min(next.Load(), end) - *simFrom
	t.Logf("%d seeds, %.0f in a second", n, float64(n)/time.Since(began).Seconds())
}

// A seed is the same run alone and behind others, or a failure could not be replayed.
func TestSimulationReplays(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := newSimWorker(false)
	for seed := range uint64(200) {
		fresh := newSimWorker(false)
		for _, w := range []*simWorker{used, fresh} {
			if err := w.run(seed); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		a, b := &used.sim, &fresh.sim
		if a.kernel.now != b.kernel.now || a.kernel.changes != b.kernel.changes || a.kernel.octetsUp != b.kernel.octetsUp || a.messages != b.messages {
			t.Fatalf("seed %d: the clock ends at %v and %v, after %d and %d changes", seed, a.kernel.now, b.kernel.now, a.kernel.changes, b.kernel.changes)
		}
	}
}

// A simWorker runs one seed after the other and keeps what is costly to make.
type simWorker struct {
	pcg     *rand.PCG
	rng     *rand.Rand
	pool    *pool
	chunk   *chunk
	sim     sim
	tracing bool
	trace   strings.Builder
}

func newSimWorker(tracing bool) *simWorker {
	w := &simWorker{pcg: rand.NewPCG(0, 0), tracing: tracing}
	w.rng = rand.New(w.pcg)
	return w
}

// A sim is the run of one seed.
type sim struct {
	seed    uint64
	w       *simWorker
	rng     *rand.Rand
	cfg     Config
	l       *loop
	kernel  simKernel
	pool    *pool
	conns   connCount
	failed  error
	tracing bool

	// What the seed drew.
	limit     int // of simLimits
	faults    int // of 64 calls
	pace      time.Duration
	echo      bool // the handler echoes and does nothing else
	outside   bool // there are calls from other goroutines
	inPieces  bool
	panics    bool
	closeOdds int
	words     uint32 // drawn from simRandom
	used      []bool // of them, those that were keys
	budget    int    // calls that handlers may still make
	peers     int    // that may still connect

	live   []*simConn // sockets that the loop holds
	all    []*simConn
	conns0 []*simConn // that were opened

	waiting, taken []simCall
	seq, bound     uint64
	onInbox        func(*loop) // inboxTaken
	panicking      *simConn    // whose post has panicked
	within         *simConn    // whose callback runs

	shutdown, aborted bool
	jumped            time.Duration // when the clock last did
	lastChange        int

	opens, closes, messages, panicked, dialsFailed uint64
	events                                         []poll.Event
	scratch                                        []byte
}

func (s *sim) failf(format string, args ...any) {
	if s.failed == nil {
		s.failed = fmt.Errorf(format, args...)
		s.tracef("FAILED: %v", s.failed)
	}
}

func (s *sim) tracef(format string, args ...any) {
	if s.tracing {
		fmt.Fprintf(&s.w.trace, "%12v  %s\n", s.kernel.now, fmt.Sprintf(format, args...))
	}
}

// clock is the time of the turn.
func (s *sim) clock() time.Duration { return s.kernel.now }

// poor reports whether there may be no memory.
func (s *sim) poor() bool { return s.pool.limit < 1<<29 }

// run runs a seed.
func (w *simWorker) run(seed uint64) (err error) {
	defer func() {
		if v := recover(); v != nil {
			w.pool, w.chunk = nil, nil
			err = fmt.Errorf("%v; panic: %v\n%s", w.sim.failed, v, debug.Stack())
		}
	}()
	w.pcg.Seed(seed, 0x9E3779B97F4A7C15)
	s := &w.sim
	*s = sim{
		seed: seed, w: w, rng: w.rng, tracing: w.tracing, kernel: s.kernel, bound: math.MaxUint64,
		live: s.live[:0], all: s.all[:0], conns0: s.conns0[:0], waiting: s.waiting[:0], taken: s.taken[:0],
		events: s.events[:0], scratch: s.scratch[:0], used: s.used[:0],
	}
	s.kernel.reset(s)
	s.draw()
	s.begin()
	s.play()
	s.finale()
	if s.failed != nil {
		w.pool, w.chunk = nil, nil
	}
	return s.failed
}

func pick[T any](s *sim, from ...T) T { return from[s.rng.IntN(len(from))] }

// draw draws what kind of run it is.
func (s *sim) draw() {
	s.limit = s.rng.IntN(simLargeLimit)
	if s.rng.IntN(40) == 0 {
		s.limit = simLargeLimit
	}
	limits := simLimits[s.limit]
	timeout := func() time.Duration {
		return pick(s, -1, 120*time.Millisecond, time.Second, 5*time.Second, time.Minute)
	}
	s.cfg = Config{
		Loops: 1, MaxMessage: limits.message, MaxFragments: limits.fragments, MaxHead: simMaxHead,
		HandshakeTimeout: timeout(), CloseTimeout: timeout(), IdleTimeout: timeout(),
		MessageTimeout: timeout(), WriteTimeout: timeout(),
		MaxQueued: int(limits.message) + codec.MaxHeaderSize + pick(s, 0, 0, 3, 100, 5000),
		Policy:    Policy(pick(s, 0, 0, 1, 2)), MaxConns: pick(s, 1, 2, 4, 50),
		MaxInboxEntries: pick(s, 1, 3, 100), MaxInboxOctets: pick(s, 30, 2000, 1<<20),
		Poison: true, Logger: slog.New(simLogger{s}), wall: midnight,
	}
	s.faults = pick(s, 0, 2, 10, 30)
	s.pace = pick(s, 1, 100*time.Microsecond, 8*time.Millisecond)
	s.echo = s.rng.IntN(3) == 0
	s.outside = s.rng.IntN(3) > 0
	s.panics = s.rng.IntN(4) == 0
	s.closeOdds = pick(s, 1, 4, 20)
	s.budget = 60
	s.peers = 1 + s.rng.IntN(6)
	if s.rng.IntN(200) == 0 {
		s.peers, s.cfg.MaxConns = 70, 1
	}
}

// begin makes the loop.
func (s *sim) begin() {
	w := s.w
	if err := s.cfg.complete(); err != nil {
		panic(err)
	}
	s.cfg.random = simRandom{s}
	if w.pool == nil {
		w.pool = new(pool)
	}
	s.pool = w.pool
	s.pool.limit = 1 << 30
	if s.rng.IntN(6) == 0 {
		s.pool.limit = int64(pick(s, 0, 600, 1600, 5000, 50000))
	}
	s.conns.max = int64(s.cfg.MaxConns)
	s.l = newLoop(0, &s.cfg, &s.kernel, s.pool, &s.conns)
	s.l.thread = poll.Thread()
	s.onInbox = s.inboxTaken
	s.l.inbox.maxEntries++ // one is the model's
	if s.rng.IntN(8) > 0 { // the memory of the last seed's slots
		if w.chunk == nil {
			w.chunk = new(chunk)
		}
		w.chunk.slots[0] = slot{fd: -1, next: noSlot}
		s.l.slab.chunks[0].Store(w.chunk)
		s.l.slab.made, s.l.slab.free = 1, 0
	}
	if s.limit != simLargeLimit {
		s.l.read = s.l.read[:pick(s, 512, 1024, 4096, readSize)]
	}
	h := &simHandler{s}
	s.l.setHandler(h)
	s.inPieces = s.rng.IntN(3) == 0
	if !s.inPieces {
		s.l.pieces = nil
	}
	if s.echo || s.rng.IntN(3) > 0 {
		s.l.upgrader = nil
	}
	if s.rng.IntN(2) == 0 {
		s.l.drainer = nil
	}
	if s.rng.IntN(4) == 0 {
		s.l.dialer = nil
	}
	s.l.listen(simListener, false)
	s.tracef("%+v, pieces %v, echo %v, faults %d, memory %d", s.cfg, s.inPieces, s.echo, s.faults, s.pool.limit)
}

// simRandom gives keys that follow from the seed: words of which no two are the same,
// and whose number can be told from them.
type simRandom struct{ s *sim }

func (r simRandom) Read(b []byte) (int, error) {
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], r.s.word(r.s.words))
		r.s.words++
	}
	r.s.used = append(r.s.used, make([]bool, len(b)/4)...)
	return len(b), nil
}

// simStep is odd, so that multiplying by it can be undone: simBack does.
const simStep, simBack uint32 = 0x9E3779B1, 0x0E8B2F51

func (s *sim) word(n uint32) uint32 { return uint32(s.seed)*0x85EBCA6B + (n+1)*simStep }

// useKey notes that a masking-key was used, and fails if it was before, or was not
// drawn.
func (c *simConn) useKey(key []byte) {
	s := c.s
	n := (binary.BigEndian.Uint32(key)-uint32(s.seed)*0x85EBCA6B)*simBack - 1
	if n >= s.words || s.used[n] {
		c.failf("masking-key %x is not a random one, or was used before", key)
		return
	}
	s.used[n] = true
}

// A simLogger gets what the loop logs: panics, which must be the simulation's own.
type simLogger struct{ s *sim }

func (simLogger) Enabled(context.Context, slog.Level) bool { return true }
func (g simLogger) WithAttrs([]slog.Attr) slog.Handler     { return g }
func (g simLogger) WithGroup(string) slog.Handler          { return g }
func (g simLogger) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "panic" && a.Value.Any() != any(simPanic) {
			g.s.failf("panic in a handler's call: %v\n%s", a.Value, debug.Stack())
		}
		return true
	})
	return nil
}
