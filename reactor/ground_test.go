//go:build linux

package reactor

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

// What the poller does that is easily forgotten: it watches open files and not
// descriptors, and it can fail to watch.

// waits counts how often a loop waits for events.
type waits struct {
	poll.Kernel
	n atomic.Int64
}

func (k *waits) Wait(events []poll.Event, timeout time.Duration) (int, poll.Errno) {
	k.n.Add(1)
	return k.Kernel.Wait(events, timeout)
}

// A socket that its adopter has another descriptor of is told of for as long as
// that is open, unless it is taken out of the poller.
func TestAdoptedByTwoDescriptors(t *testing.T) {
	var k *waits
	g := startOn(t, Config{IdleTimeout: -1}, nil, func(kernel poll.Kernel) poll.Kernel {
		k = &waits{Kernel: kernel}
		return k
	})
	fd, c := g.pipe()
	defer unix.Close(fd)
	if err := g.r.Adopt(fd, codec.Server, nil); err != nil {
		t.Fatal(err)
	}
	c.write(text("x"))
	c.expect(textOf("x"))
	c.Conn.Close()
	await(t, "Closed", g.p.ends)
	eventually(t, "the connection is gone", func() bool { return g.r.Stats().Conns == 0 })
	before := k.n.Load()
	time.Sleep(200 * time.Millisecond)
	if n := k.n.Load() - before; n > 10 {
		t.Errorf("%d turns with nothing to do", n)
	}
}

// A refusing kernel has no memory to watch anything.
type refusing struct {
	*script
	refuse bool
}

func (k *refusing) Watch(fd int, token uint64, want poll.Flags) poll.Errno {
	if k.refuse {
		return poll.ENOMEM
	}
	return k.script.Watch(fd, token, want)
}

// A connection that cannot be watched any more is ended, not held for ever.
func TestWatchFailsOnResume(t *testing.T) {
	p := newProbe()
	p.onMessage = func(c Conn, op codec.Opcode, payload []byte) { c.PauseRead() }
	d := scriptLoop(t, Config{IdleTimeout: -1}, p)
	k := &refusing{script: d.script}
	d.l.kernel = k
	s := d.open()
	c := await(t, "Opened", p.opens)
	d.arrives(s, text("pause"))
	s.fin, s.hup = true, true
	d.settle()
	k.refuse = true
	c.Handle().Post(func(c Conn) { c.ResumeRead() })
	d.settle()
	if len(p.ends) != 1 {
		t.Errorf("%d slots left, %d closed", d.l.slab.live, len(p.ends))
	}
	d.finish()
}

// A listener that cannot be watched is tried again, and counted.
func TestWatchFailsOnListen(t *testing.T) {
	d := scriptLoop(t, Config{}, nil)
	k := &refusing{script: d.script, refuse: true}
	d.l.kernel = k
	fd, s := d.add()
	s.listener = true
	d.l.listen(fd, false)
	if n := d.stats().AcceptFailed; n != 1 {
		t.Errorf("counted %d", n)
	}
	d.pass(time.Second)
	if s.watched {
		t.Fatal("watched, though the kernel refuses")
	}
	k.refuse = false
	d.pass(10 * time.Second)
	if !s.watched {
		t.Error("not tried again")
	}
}

// A redialer is a probe that dials again when that fails.
type redialer struct {
	*probe
	again    func() error
	answers  chan error
	failures atomic.Int64
}

func (h *redialer) Dialed(c Conn, res *handshake.Response) {}

func (h *redialer) DialFailed(state any, err error) {
	if h.failures.Add(1) < 100 {
		h.answers <- h.again()
	}
}

// While a reactor shuts down it neither dials nor adopts: a handler that dials again
// at each failure would go on for ever.
func TestNothingNewInShutdown(t *testing.T) {
	h := &redialer{probe: newProbe(), answers: make(chan error, 100)}
	g := start(t, Config{CloseTimeout: patience}, h)
	ln, c := listenSilently(t), g.open()
	h.again = func() error { return g.r.Dial("tcp", ln, handshake.ClientRequest{}, nil) }
	if err := h.again(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the dial is under way", func() bool { return g.r.Stats().Conns == 2 })
	done := make(chan error)
	go func() { done <- g.r.Shutdown(context.Background()) }()
	if err := await(t, "the second dial", h.answers); err != ErrClosed {
		t.Errorf("a dial in Shutdown: %v", err)
	}
	fd, other := g.pipe()
	if err := g.adopt(fd, codec.Server, nil); err != ErrClosed {
		t.Errorf("Adopt in Shutdown: %v", err)
	}
	other.Close()
	c.expect(closed(1001, ""))
	c.write(closing(1001, ""))
	c.fin()
	if err := await(t, "Shutdown", done); err != nil {
		t.Error(err)
	}
	if n := h.failures.Load(); n != 1 {
		t.Errorf("%d failures", n)
	}
}
