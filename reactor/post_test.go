//go:build linux

package reactor

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

// What is posted runs on the loop that was named: with Poison, a Conn says if not. What
// it sends goes out in one send for each connection.
func TestReactorPost(t *testing.T) {
	var sends, wakes atomic.Int64
	g := startOn(t, Config{Loops: 2}, nil, func(k poll.Kernel) poll.Kernel { return &counting{k, &sends, &wakes} })
	var clients [4]*client
	conns := map[int][]Conn{}
	at := map[Conn]*client{}
	for i := range clients {
		clients[i] = g.open()
		c := await(t, "Opened", g.p.opens)
		conns[c.Loop()] = append(conns[c.Loop()], c)
		at[c] = clients[i]
	}
	before := sends.Load()
	for loop, conns := range conns {
		done := make(chan error, 1)
		err := g.r.Post(loop, func() {
			var err error
			for range 3 {
				for _, c := range conns {
					if failed := c.Send(codec.OpText, []byte("a")); failed != nil {
						err = failed
					}
				}
			}
			done <- err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := await(t, "the posted function", done); err != nil {
			t.Error(err)
		}
		for _, c := range conns {
			at[c].expect(repeat(textOf("a"), 3))
		}
	}
	if n := sends.Load() - before; n != int64(len(clients)) {
		t.Errorf("%d sends for %d connections", n, len(clients))
	}
	for _, c := range clients {
		c.bye()
	}
}

// Whatever Post accepts happens once, even if it is posted while the reactor ends, or
// never runs; what it does not accept never does.
func TestReactorPostAtTheEnd(t *testing.T) {
	for _, runs := range []bool{true, false} {
		g := prepare(t, Config{Loops: 2}, nil)
		if runs {
			g.serve()
		}
		var accepted, called atomic.Int64
		var posting sync.WaitGroup
		begun := make(chan bool, 4)
		for i := range 4 {
			posting.Go(func() {
				for n := 0; ; n++ {
					switch err := g.r.Post(i%2, func() { called.Add(1) }); err {
					case nil:
						accepted.Add(1)
					case ErrClosed:
						return
					case ErrInboxFull:
					default:
						t.Error(err)
					}
					if n == 10 {
						begun <- true
					}
				}
			})
		}
		for range 4 {
			<-begun
		}
		if err := g.r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		posting.Wait()
		if a, c := accepted.Load(), called.Load(); a != c || a < 40 {
			t.Errorf("runs %v: %d accepted, %d called", runs, a, c)
		}
		if runs {
			g.stop()
		} else {
			g.clean()
		}
	}
}

// A posted function that panics is logged and counted, and its loop goes on.
func TestReactorPostPanics(t *testing.T) {
	var log bytes.Buffer
	g := prepare(t, Config{Logger: testLogger(&log)}, nil)
	g.serve()
	done := make(chan bool)
	if g.r.Post(0, func() { panic("posted") }) != nil || g.r.Post(0, func() { close(done) }) != nil {
		t.Fatal("Post failed")
	}
	await(t, "the loop to go on", done)
	g.stop()
	if n := g.r.Stats().HandlerPanics; n != 1 || !bytes.Contains(log.Bytes(), []byte("posted")) {
		t.Errorf("counted %d, logged %q", n, log.String())
	}
}

func TestReactorPostBounds(t *testing.T) {
	g := prepare(t, Config{MaxInboxEntries: 3}, nil)
	for i, want := range []error{nil, nil, nil, ErrInboxFull} {
		if err := g.r.Post(0, func() {}); err != want {
			t.Errorf("call %d: %v, want %v", i, err, want)
		}
	}
	if n := g.r.Stats().InboxFull; n != 1 {
		t.Errorf("counted %d", n)
	}
	g.serve()
	f, done := func() {}, make(chan bool)
	eventually(t, "there is room", func() bool { return g.r.Post(0, func() { close(done) }) == nil })
	await(t, "the inbox to be emptied", done)
	if n := testing.AllocsPerRun(100, func() {
		for g.r.Post(0, f) != nil {
		}
	}); n > raceAllocations {
		t.Errorf("%v allocations", n)
	}
}
