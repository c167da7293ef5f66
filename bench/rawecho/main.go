// Command rawecho sends back the octets it gets, over the epoll of internal/poll
// and nothing else: no WebSocket, no deadlines, no handlers. It is the limit that
// the reactor is measured against, by bench's BenchmarkEcho.
//
// One goroutine for each loop, locked to its thread. A connection is a
// descriptor; only while its socket refuses octets does it hold memory, what one
// read brought at most, because it is not read meanwhile.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hybi-go/hybi/internal/poll"
)

const (
	readSize       = 64 << 10 // as the reactor's
	eventsPerTurn  = 256
	acceptsPerTurn = 64
	backoff        = 100 * time.Millisecond // of a listener, after a failed accept
)

func main() {
	addr := flag.String("addr", "127.0.0.1:9002", "listen on `HOST:PORT`")
	loops := flag.Int("loops", runtime.NumCPU(), "event loops, each on a thread of its own")
	flag.Parse()
	if flag.NArg() > 0 || *loops < 1 || *loops > 1024 {
		fmt.Fprintln(os.Stderr, "rawecho: takes flags only, and -loops from 1 to 1024")
		os.Exit(2)
	}
	if err := serve(*addr, *loops); err != nil {
		fmt.Fprintln(os.Stderr, "rawecho:", err)
		os.Exit(1)
	}
}

// serve echoes on addr until a signal ends it.
func serve(addr string, n int) error {
	poll.RaiseDescriptorLimit() // the soft limit serves too
	ln, err := poll.Listen("tcp", addr, n, false)
	if err != nil {
		return err
	}
	loops := make([]*loop, n)
	for i := range loops {
		if loops[i], err = newLoop(ln.FDs[i]); err != nil {
			return err
		}
	}
	// One processor more than loops, as with the reactor.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), n+1))

	stop := func() {
		for _, l := range loops {
			l.stop.Store(true)
			l.kernel.Wake()
		}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
	}()

	fmt.Printf("listening on tcp://%s\n", ln.Addr)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i, l := range loops {
		wg.Go(func() {
			runtime.LockOSThread()
			errs[i] = l.run()
			stop() // one loop cannot do without the others
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// A loop serves its connections on one goroutine. A token is a descriptor; an
// event for one that was closed and used again within a turn is harmless, as
// reading never blocks.
type loop struct {
	kernel   poll.Kernel
	listener int
	retry    time.Duration // when the listener, which failed, is watched again, or 0
	events   []poll.Event
	buf      []byte
	rest     map[int][]byte // what sockets refused; they are not read meanwhile
	stop     atomic.Bool
}

func newLoop(listener int) (*loop, error) {
	kernel, err := poll.New()
	if err != nil {
		return nil, err
	}
	l := &loop{
		kernel: kernel, listener: listener,
		events: make([]poll.Event, eventsPerTurn),
		buf:    make([]byte, readSize),
		rest:   map[int][]byte{},
	}
	return l, kernel.Watch(listener, uint64(listener), poll.Readable).Err()
}

// run serves until it is told to stop. The sockets end with the process.
func (l *loop) run() error {
	for !l.stop.Load() {
		patience := time.Duration(-1)
		if l.retry != 0 {
			patience = backoff
		}
		n, e := l.kernel.Wait(l.events, patience)
		if e != 0 {
			return fmt.Errorf("waiting for events: %w", e.Err())
		}
		for _, ev := range l.events[:n] {
			switch fd := int(ev.Token); {
			case fd == l.listener:
				l.accept()
			case ev.Flags&poll.Writable != 0:
				l.drain(fd)
			default: // readable, or at its end, which reading tells
				l.echo(fd)
			}
		}
		if l.retry != 0 && l.kernel.Now() >= l.retry {
			l.retry = 0
			l.kernel.Rewatch(l.listener, uint64(l.listener), poll.Readable)
		}
	}
	return nil
}

// accept takes a bounded number of connections. If there are no descriptors left
// it takes none for a while, instead of being told again and again.
func (l *loop) accept() {
	for range acceptsPerTurn {
		fd, _, e := l.kernel.Accept(l.listener)
		switch e {
		case 0:
			if l.kernel.Watch(fd, uint64(fd), poll.Readable) != 0 {
				l.kernel.Close(fd)
			}
		case poll.EAGAIN:
			return
		case poll.EINTR, poll.ECONNABORTED, poll.EPROTO, poll.EPERM:
		default:
			l.retry = l.kernel.Now() + backoff
			l.kernel.Rewatch(l.listener, uint64(l.listener), 0)
			return
		}
	}
}

// echo sends back what one read brings. What the socket refuses waits.
func (l *loop) echo(fd int) {
	if len(l.rest) > 0 && l.rest[fd] != nil {
		l.drain(fd) // a hang-up with octets to send: sending tells
		return
	}
	n, e := l.kernel.Recv(fd, l.buf)
	if e == poll.EAGAIN || e == poll.EINTR {
		return
	}
	if n == 0 {
		l.kernel.Close(fd)
		return
	}
	if rest, ok := l.send(fd, l.buf[:n]); ok && len(rest) > 0 {
		l.rest[fd] = append([]byte(nil), rest...)
		l.kernel.Rewatch(fd, uint64(fd), poll.Writable)
	}
}

// drain sends what waits, and reads again once all of it is gone.
func (l *loop) drain(fd int) {
	rest, ok := l.send(fd, l.rest[fd])
	switch {
	case !ok:
	case len(rest) > 0:
		l.rest[fd] = rest
	default:
		delete(l.rest, fd)
		l.kernel.Rewatch(fd, uint64(fd), poll.Readable)
	}
}

// send sends b in one call and returns what the socket refused; or it closes a
// socket that takes nothing more, and reports false.
func (l *loop) send(fd int, b []byte) (rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, true
	}
	n, e := l.kernel.Send(fd, b)
	switch e {
	case 0, poll.EAGAIN, poll.EINTR, poll.ENOBUFS, poll.ENOMEM:
		return b[n:], true
	}
	delete(l.rest, fd)
	l.kernel.Close(fd)
	return nil, false
}
