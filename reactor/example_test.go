package reactor_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

type echo struct{}

func (echo) Opened(c reactor.Conn)                                   {}
func (echo) Message(c reactor.Conn, op codec.Opcode, payload []byte) { c.Send(op, payload) }
func (echo) Closed(c reactor.Conn, info reactor.CloseInfo)           {}

// An echo server that ends gracefully when it is told to.
func Example() {
	r, err := reactor.New(reactor.Config{MaxMessage: 64 << 10})
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Listen("tcp", "127.0.0.1:0"); err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- r.Run(func(loop int) reactor.Handler { return echo{} }) }()

	// A program would wait for a signal here.

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(r.Shutdown(ctx)) // all connections are told 1001
	fmt.Println(<-ended)
	// Output:
	// <nil>
	// <nil>
}

// A chat keeps the members of its loop in a map; a Conn may be a key. Each loop has a
// chat of its own, and all of them know all.
type chat struct {
	r       *reactor.Reactor
	all     []*chat // by the number of the loop
	members map[reactor.Conn]bool
}

func (h *chat) Opened(c reactor.Conn)                         { h.members[c] = true }
func (h *chat) Closed(c reactor.Conn, info reactor.CloseInfo) { delete(h.members, c) }

// Message sends what one says to all: on its own loop at once, on the others by Post.
func (h *chat) Message(c reactor.Conn, op codec.Opcode, p []byte) {
	frame := codec.NewPreparedFrame(op, p) // copies p, once for all
	h.tell(frame)
	for loop, other := range h.all {
		if other != h {
			if err := h.r.Post(loop, func() { other.tell(frame) }); err != nil {
				log.Print(err) // ErrInboxFull: that loop does not keep up
			}
		}
	}
}

func (h *chat) tell(frame *codec.PreparedFrame) {
	for member := range h.members {
		if err := member.SendPrepared(frame); err != nil {
			member.Close(codec.ClosePolicyViolation, "too slow") // ErrQueueFull
		}
	}
}

// Upgrade lets in those who speak the protocol and know the way.
func (h *chat) Upgrade(c reactor.Conn, req *handshake.Request, accept *handshake.Accept) *handshake.Refusal {
	if accept.Subprotocol == "" {
		return handshake.Refuse(400, "This server speaks chat.example only: offer that subprotocol.")
	}
	if string(req.Path()) != "/chat" {
		return handshake.Refuse(404, "There is nothing here: try /chat.")
	}
	accept.Header = append(accept.Header, handshake.Field{Name: "Server", Value: "hybi"})
	return nil
}

// A server with state for each loop, which chooses whom it lets in.
func ExampleUpgrader() {
	origins, err := handshake.AllowOrigins("https://chat.example")
	if err != nil {
		log.Fatal(err)
	}
	r, err := reactor.New(reactor.Config{
		Origins:      origins,
		Subprotocols: []string{"chat.example"},
		Policy:       reactor.Refuse,
	})
	if err != nil {
		log.Fatal(err)
	}
	all := make([]*chat, r.Loops())
	for loop := range all {
		all[loop] = &chat{r: r, all: all, members: map[reactor.Conn]bool{}}
	}
	go r.Run(func(loop int) reactor.Handler { return all[loop] })
	fmt.Println(r.Shutdown(context.Background()))
	// Output: <nil>
}

// A worker answers from another goroutine, by a Handle.
type worker struct{ echo }

func (worker) Message(c reactor.Conn, op codec.Opcode, payload []byte) {
	question := string(payload) // payload is lent, question is a copy
	h := c.Handle()
	go func() {
		answer := strings.ToUpper(question) // or what takes long
		if err := h.Send(op, []byte(answer)); err != nil {
			log.Print(err) // ErrClosed, ErrInboxFull
		}
	}()
}

// Work that takes long is done elsewhere, so that the loop goes on.
func ExampleHandle() {
	r, err := reactor.New(reactor.Config{Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	go r.Run(func(loop int) reactor.Handler { return worker{} })
	fmt.Println(r.Shutdown(context.Background()))
	// Output: <nil>
}
