// Package reactor holds many WebSocket connections on a few event loops: one
// goroutine for each loop, locked to its thread, over level-triggered epoll. It
// needs Linux; elsewhere it builds, and New returns an error that says so.
//
//	r, err := reactor.New(reactor.Config{})
//	err = r.Listen("tcp", "127.0.0.1:9001")
//	err = r.Run(func(loop int) reactor.Handler { return &echo{} })
//
// # The data path
//
//	epoll_wait ─► recv into the loop's read buffer ─► codec.Parser: payload unmasked in place
//	          ─► Handler gets a slice of that buffer ─► replies gather in the loop's batch
//	          ─► one send per connection and batch ─► what the socket did not take waits in a pooled buffer
//
// # Memory
//
// An idle connection is a slot of some 150 octets: no goroutine, no timer, no
// buffer. A message that arrives in several reads is gathered in pooled memory, which
// grows as octets arrive; a payload handed to a Handler is lent until the call
// returns. Config.Poison, for tests, overwrites lent memory then, so that a kept slice
// shows.
//
// # Bounds
//
// Everything a peer can make grow has a limit with a default that is safe on the
// open internet: see Config. Every limit that strikes is counted: see Stats.
//
// # Threads
//
// A loop's goroutine spends its life in system calls that the Go scheduler is
// mostly not told of. Set GOMAXPROCS to one more than the number of loops (the
// default is as many of each), or the runtime's monitor takes the processor from a
// loop at each wait:
//
//	runtime.GOMAXPROCS(loops + 1)
package reactor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

// A Policy is what happens when a connection's queue is at its bound, because
// its peer reads more slowly than it is sent to.
type Policy uint8

const (
	// Pause stops reading from the connection until its queue has drained, so
	// that an echo neither loses data nor grows. Sends that do not answer a message
	// of their own length can still find the queue full: ErrQueueFull.
	Pause Policy = iota

	// Refuse goes on reading; sends that do not fit return ErrQueueFull.
	Refuse

	// Close fails the connection with 1008 at the first send that does not fit.
	Close
)

// The defaults of Config.
const (
	DefaultMaxMessage       = 1 << 20
	DefaultMaxFragments     = 131072
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultCloseTimeout     = 5 * time.Second
	DefaultIdleTimeout      = 2 * time.Minute
	DefaultMessageTimeout   = 2 * time.Minute
	DefaultWriteTimeout     = 30 * time.Second
	DefaultMaxMemory        = 1 << 30
	DefaultMaxInboxEntries  = 64 << 10
	DefaultMaxInboxOctets   = 16 << 20
)

// A Config says how connections are served. Zero fields mean the defaults.
// Timeouts are kept in ticks of 50 ms and never strike early; a negative one
// means none.
type Config struct {
	// Loops is the number of event loops, 1 to 1024; default: what
	// runtime.GOMAXPROCS is when New is called.
	Loops int

	// MaxMessage is the most octets of payload in one message, default 1 MiB;
	// above it a connection is failed with 1009. MaxFragments is the most frames
	// of one message, default 131,072.
	MaxMessage   int64
	MaxFragments int

	// MaxHead is the most octets in the head of an opening handshake, 128 to
	// 1 MiB, default 8 KiB; MaxHeaders the most header lines, 5 to 65,536, default
	// 100. Above: 431.
	MaxHead    int
	MaxHeaders int

	// HandshakeTimeout is from accept to the end of the request's head: 10 s,
	// then 408; of Dial, to the end of the response's head, then ErrDialSlow.
	// CloseTimeout is how long the peer's close frame is awaited after
	// ours, and its FIN after that: 5 s each.
	HandshakeTimeout time.Duration
	CloseTimeout     time.Duration

	// IdleTimeout is how long nothing may come from the peer: 2 min, then 1008.
	// At half of it a ping is sent. MessageTimeout is from the first octet of
	// one message to its last: 2 min, then 1008. WriteTimeout is how long the
	// socket may take none of what waits: 30 s, then the socket is closed.
	IdleTimeout    time.Duration
	MessageTimeout time.Duration
	WriteTimeout   time.Duration

	// MaxQueued is the most octets that wait to be sent on one connection,
	// frame headers included: at least, and by default, MaxMessage + 14. Policy
	// is what happens there. No single message that is sent may be larger.
	MaxQueued int
	Policy    Policy

	// MaxMemory is the most octets of pooled memory for all connections
	// together, in capacity: 1 GiB, at least 64 KiB. What needs more is failed
	// with 1013, or refused with 503 while its handshake is not done.
	MaxMemory int64

	// MaxConns is the most connections at once: by default the limit of
	// descriptors when New is called, less a reserve of a sixteenth, of 16 to
	// 512. Above: 503.
	MaxConns int

	// MaxInboxEntries and MaxInboxOctets bound the calls from other goroutines
	// that wait for one loop: 65,536 and 16 MiB.
	MaxInboxEntries int
	MaxInboxOctets  int

	// Origins is which origins may connect. The zero value is same-origin: a
	// request with an Origin header must come from the host it is for.
	Origins handshake.Origins

	// Subprotocols are those that the server speaks.
	Subprotocols []string

	// SharePort lets other processes listen on the same TCP addresses, if they
	// share them too (SO_REUSEPORT).
	SharePort bool

	// Poison overwrites lent memory when its time is over, and panics when a
	// Conn is used outside its loop's goroutine. For tests.
	Poison bool

	// Logger gets handlers' panics, and answers of theirs to opening handshakes
	// that cannot be sent. Default: slog.Default().
	Logger *slog.Logger

	random io.Reader
	wall   func() time.Time
	ticks  struct{ handshake, close, ping, idle, message, write tick }
}

// complete sets the defaults and judges what was set.
func (c *Config) complete() error {
	def := func(p *int, value int) {
		if *p == 0 {
			*p = value
		}
	}
	def64 := func(p *int64, value int64) {
		if *p == 0 {
			*p = value
		}
	}
	def(&c.Loops, runtime.GOMAXPROCS(0))
	def64(&c.MaxMessage, DefaultMaxMessage)
	def(&c.MaxFragments, DefaultMaxFragments)
	def(&c.MaxHead, handshake.DefaultMaxHead)
	def(&c.MaxHeaders, handshake.DefaultMaxHeaders)
	def64(&c.MaxMemory, DefaultMaxMemory)
	def(&c.MaxInboxEntries, DefaultMaxInboxEntries)
	def(&c.MaxInboxOctets, DefaultMaxInboxOctets)
	files := poll.DescriptorLimit()
	def(&c.MaxConns, max(1, files-min(max(files/16, 16), 512)))
	if c.MaxMessage > 0 && c.MaxMessage <= math.MaxInt-codec.MaxHeaderSize {
		def(&c.MaxQueued, int(c.MaxMessage)+codec.MaxHeaderSize)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.random = rand.Reader
	if c.wall == nil {
		c.wall = time.Now
	}
	for _, t := range []struct {
		set   time.Duration
		def   time.Duration
		ticks *tick
	}{
		{c.HandshakeTimeout, DefaultHandshakeTimeout, &c.ticks.handshake},
		{c.CloseTimeout, DefaultCloseTimeout, &c.ticks.close},
		{c.IdleTimeout, DefaultIdleTimeout, &c.ticks.idle},
		{half(c.IdleTimeout), DefaultIdleTimeout / 2, &c.ticks.ping},
		{c.MessageTimeout, DefaultMessageTimeout, &c.ticks.message},
		{c.WriteTimeout, DefaultWriteTimeout, &c.ticks.write},
	} {
		switch {
		case t.set == 0:
			*t.ticks = ticks(t.def)
		case t.set > 0:
			*t.ticks = ticks(t.set)
		}
	}
	return c.judge()
}

// half returns half of d, rounded away from zero, which would mean the default.
func half(d time.Duration) time.Duration { return d/2 + d%2 }

// judge names the first setting that cannot be.
func (c *Config) judge() error {
	for _, f := range []struct {
		name            string
		value, low, top int64
	}{
		{"Loops", int64(c.Loops), 1, 1024},
		{"MaxMessage", c.MaxMessage, 1, math.MaxInt - codec.MaxHeaderSize},
		{"MaxFragments", int64(c.MaxFragments), 1, math.MaxInt32},
		{"MaxHead", int64(c.MaxHead), 128, 1 << 20},
		{"MaxHeaders", int64(c.MaxHeaders), 5, 1 << 16},
		{"MaxQueued", int64(c.MaxQueued), c.MaxMessage + codec.MaxHeaderSize, math.MaxInt},
		{"MaxMemory", c.MaxMemory, 1 << 16, math.MaxInt64},
		{"MaxConns", int64(c.MaxConns), 1, 1 << 26},
		{"MaxInboxEntries", int64(c.MaxInboxEntries), 1, 1 << 26},
		{"MaxInboxOctets", int64(c.MaxInboxOctets), 1, 1 << 40},
		{"Policy", int64(c.Policy), int64(Pause), int64(Close)},
	} {
		if f.value < f.low || f.value > f.top {
			return fmt.Errorf("hybi: Config.%s is %d: it must be from %d to %d", f.name, f.value, f.low, f.top)
		}
	}
	return nil
}

// connCount is how many connections a reactor holds, and may hold.
type connCount struct {
	n   atomic.Int64
	max int64
}

// A Reactor is a set of event loops. All of its methods may be called by any
// goroutine.
type Reactor struct {
	cfg   Config
	pool  pool
	conns connCount
	loops []*loop

	mu        sync.Mutex
	listeners []*poll.Listener
	next      uint // the loop for the next Adopt
	state     state
	ran       bool
	ended     chan struct{} // closed when Run has returned, or will not run
}

type state uint8

const (
	stateNew state = iota
	stateRunning
	stateStopping
	stateEnded
)

// New makes a reactor that does not run yet. It holds two descriptors for each
// loop until Run or Shutdown has returned.
func New(cfg Config) (*Reactor, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	r := &Reactor{cfg: cfg, ended: make(chan struct{})}
	r.pool.limit = cfg.MaxMemory
	r.conns.max = int64(cfg.MaxConns)
	for i := range cfg.Loops {
		kernel, err := poll.New()
		if err != nil {
			for _, l := range r.loops {
				l.kernel.Release()
			}
			return nil, err
		}
		r.loops = append(r.loops, newLoop(i, &r.cfg, kernel, &r.pool, &r.conns))
	}
	return r, nil
}

// Listen accepts connections on addr, before or while Run runs. Network is
// "tcp", "tcp4", "tcp6" or "unix"; addr is "host:port", where an empty host means
// all addresses and port 0 any free one, or a path. An address in use is an error,
// of another process with SharePort excepted.
func (r *Reactor) Listen(network, addr string) error {
	ln, err := poll.Listen(network, addr, len(r.loops), r.cfg.SharePort)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state >= stateStopping {
		ln.Close()
		return ErrShutdown
	}
	r.listeners = append(r.listeners, ln)
	for i, fd := range ln.FDs {
		l := r.loops[i]
		err := l.inbox.put(entry{kind: entryRun, run: func(l *loop) {
			if network == "unix" {
				l.deal = r.loops
			}
			l.listen(fd, network == "unix")
		}}, nil)
		if err != nil {
			for _, fd := range ln.FDs[i:] {
				poll.CloseFD(fd)
			}
			return fmt.Errorf("hybi: cannot listen on loop %d: %w", i, err)
		}
	}
	return nil
}

// Addrs returns the addresses listened on, in the order of the Listen calls, with
// the port that was chosen where it was left open.
func (r *Reactor) Addrs() []net.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	addrs := make([]net.Addr, len(r.listeners))
	for i, ln := range r.listeners {
		addrs[i] = ln.Addr
	}
	return addrs
}

// Adopt serves a connected stream socket whose opening handshake was done
// elsewhere, this end in the given role; prefix is what was read from it behind
// the handshake. The reactor uses a duplicate: fd remains the caller's to close, on
// success and on an error. Of a net.Conn, pass File's Fd and close both then. The
// loops take turns.
//
// Errors: the operating system's, ErrInboxFull, ErrClosed after Shutdown.
func (r *Reactor) Adopt(fd int, role codec.Role, prefix []byte) error {
	l, err := r.nextLoop()
	if err != nil {
		return err
	}
	own, peer, err := poll.Prepare(fd)
	if err != nil {
		return err
	}
	prefix = append([]byte(nil), prefix...)
	err = l.inbox.put(entry{kind: entryRun, run: func(l *loop) {
		l.adopted(own, peer, role, prefix)
	}}, nil)
	if err != nil {
		poll.CloseFD(own)
	}
	return err
}

// Dial connects to a server and does the opening handshake as its client (RFC 6455
// §4.1; that there be only one handshake under way to an address, as it asks, is for the
// caller to see to), within Config.HandshakeTimeout. What comes of it, the handler of one of
// the loops, which take turns, is told: by Opened, or by the methods of Dialer.
// State is what Conn.State returns from the start. Network and addr are as for
// Listen, with a host. If req.Host is empty, addr is sent, and "localhost" for a
// Unix socket. The slices of req must not be changed until then.
//
// The error is one that is known at once: a request that cannot be sent, a name
// that does not resolve, ErrInboxFull, ErrClosed after Shutdown. Resolving a name
// may block; give an address to a Dial on a loop's goroutine.
func (r *Reactor) Dial(network, addr string, req handshake.ClientRequest, state any) error {
	d, err := newDialing(network, addr, req, state, &r.cfg)
	if err != nil {
		return err
	}
	l, err := r.nextLoop()
	if err != nil {
		return err
	}
	fd, peer, err := poll.Connect(network, addr)
	if err != nil {
		return err
	}
	err = l.inbox.put(entry{kind: entryRun, run: func(l *loop) { l.dialed(fd, peer, d) }}, nil)
	if err != nil {
		poll.CloseFD(fd)
	}
	return err
}

// Loops returns the number of event loops: they are numbered from 0.
func (r *Reactor) Loops() int { return len(r.loops) }

// Post has f called on the goroutine of a loop, given by its number, between the
// calls of its handler; there f may use the Conns of that loop. What f sends on them
// goes out together at the end of the loop's turn, but for a first prepared frame. A call that is accepted, with nil, happens
// once: if the loop ends first, then at its end, when all connections have ended. A
// panic of f's is logged and counted like a handler's.
//
// It may be called before Run, too. Post itself allocates nothing; a closure may. It
// panics if there is no such loop, or no f. Errors: ErrInboxFull, and ErrClosed after the
// loop's end.
func (r *Reactor) Post(loop int, f func()) error {
	if loop < 0 || loop >= len(r.loops) || f == nil {
		panic(fmt.Sprintf("reactor: Post to loop %d of %d, function given: %v", loop, len(r.loops), f != nil))
	}
	l := r.loops[loop]
	err := l.inbox.put(entry{kind: entryCall, call: f}, nil)
	if err == ErrInboxFull {
		l.stats.inboxFull.Add(1)
	}
	return err
}

// nextLoop returns the loop whose turn it is to get a connection, unless no more
// are to come.
func (r *Reactor) nextLoop() (*loop, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state >= stateStopping {
		return nil, ErrClosed
	}
	r.next++
	return r.loops[r.next%uint(len(r.loops))], nil
}

// Run serves until Shutdown has ended the last connection, and returns nil then;
// at once, if Shutdown came first. NewHandler is called for each loop before any
// of them starts. Run can be called once: more is an error, and so is a loop whose
// poller fails, which ends all of them.
func (r *Reactor) Run(newHandler func(loop int) Handler) error {
	r.mu.Lock()
	if r.ran {
		r.mu.Unlock()
		return errors.New("hybi: Run was called before: make another Reactor")
	}
	r.ran = true
	if r.state != stateNew {
		r.mu.Unlock()
		return nil
	}
	r.state = stateRunning
	r.mu.Unlock()
	defer r.end()
	for i, l := range r.loops {
		h := newHandler(i)
		if h == nil {
			panic(fmt.Sprintf("reactor: the function given to Run has returned no Handler for loop %d", i))
		}
		l.setHandler(h)
	}
	errs := make([]error, len(r.loops))
	var wg sync.WaitGroup
	for i, l := range r.loops {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if errs[i] = l.run(); errs[i] != nil {
				r.command(true) // one loop cannot do without the others
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// end is the last that happens to a reactor.
func (r *Reactor) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = stateEnded
	for _, ln := range r.listeners {
		ln.Remove()
	}
	close(r.ended)
}

// command tells all loops to end.
func (r *Reactor) command(abort bool) {
	for _, l := range r.loops {
		l.inbox.command(abort)
	}
}

// Shutdown stops accepting, refuses handshakes with 503, says 1001 to all
// connections, behind what was sent to them before, and waits until all have
// ended and Run returns: as long as queues take to drain, and twice
// Config.CloseTimeout for peers that do not answer. When ctx is done, it ends those that are left at once,
// and returns ctx's error. A Handler must not call it, as it waits for the
// Handler's loop.
func (r *Reactor) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	switch r.state {
	case stateNew:
		r.state = stateStopping
		r.mu.Unlock()
		for _, l := range r.loops {
			l.end()
		}
		r.end()
		return nil
	case stateRunning:
		r.state = stateStopping
	}
	r.mu.Unlock()
	r.command(false)
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
	}
	r.command(true)
	<-r.ended
	return ctx.Err()
}

// Stats returns the counters so far.
func (r *Reactor) Stats() Stats {
	s := Stats{MemoryOctets: r.pool.lent.Load()}
	for _, l := range r.loops {
		l.stats.addTo(&s)
	}
	return s
}

// RaiseDescriptorLimit raises the process's soft limit of open descriptors to its
// hard limit, and returns it. Call it before New, whose default for MaxConns
// follows from it.
func RaiseDescriptorLimit() (int, error) { return poll.RaiseDescriptorLimit() }
