//go:build linux

package reactor

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
	"github.com/hybi-go/hybi/mask"
)

// A treadmill is a kernel that costs nothing: one socket that is always readable
// brings the same octets at each Recv, and Send takes all.
type treadmill struct {
	poll.Kernel // nil: any other call is a fault of the benchmark
	token       uint64
	in          []byte
	sent        int
}

func (k *treadmill) Wait(events []poll.Event, _ time.Duration) (int, poll.Errno) {
	events[0] = poll.Event{Token: k.token, Flags: poll.Readable}
	return 1, 0
}
func (k *treadmill) Wake()                                              {}
func (k *treadmill) Now() time.Duration                                 { return time.Second }
func (k *treadmill) Watch(_ int, token uint64, _ poll.Flags) poll.Errno { k.token = token; return 0 }
func (k *treadmill) Recv(_ int, b []byte) (int, poll.Errno)             { return copy(b, k.in), 0 }
func (k *treadmill) Send(_ int, b []byte) (int, poll.Errno)             { k.sent += len(b); return len(b), 0 }

type echoes struct{}

func (echoes) Opened(Conn)                                     {}
func (echoes) Message(c Conn, op codec.Opcode, payload []byte) { c.Send(op, payload) }
func (echoes) Closed(Conn, CloseInfo)                          {}

// BenchmarkTurn is what a message costs a loop in user space: a turn without a
// kernel, in which one connection brings so many frames and each is echoed. Copying
// the input into the read buffer, the kernel's work otherwise, is in the figure.
func BenchmarkTurn(b *testing.B) {
	for _, op := range []codec.Opcode{codec.OpBinary, codec.OpText} {
		for _, size := range []int{16, 64, 125, 1024} {
			for _, frames := range []int{1, 16} {
				b.Run(fmt.Sprintf("type=%v/size=%d/frames=%d", op, size, frames), func(b *testing.B) {
					benchmarkTurn(b, op, size, frames)
				})
			}
		}
	}
}

func benchmarkTurn(b *testing.B, op codec.Opcode, size, frames int) {
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = 'a' + byte(i%26)
	}
	k := new(treadmill)
	for i := range frames {
		h := codec.Header{FIN: true, Opcode: op, Masked: true, MaskingKey: mask.Key{byte(i), 2, 3, 5}}
		k.in = codec.AppendFrame(k.in, h, payload)
	}
	cfg := Config{Loops: 1, MaxConns: 1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if err := cfg.complete(); err != nil {
		b.Fatal(err)
	}
	cfg.random = rand.Reader
	l := newLoop(0, &cfg, k, &pool{limit: 1 << 30}, &connCount{max: 1})
	l.setHandler(echoes{})
	l.adopted(3, netip.AddrPort{}, codec.Server, nil)
	k.sent = 0
	b.ReportAllocs()
	for b.Loop() {
		if err := l.turn(); err != nil {
			b.Fatal(err)
		}
	}
	head := len(codec.AppendHeader(nil, codec.Header{PayloadLength: int64(size)}))
	if want := b.N * frames * (head + size); k.sent != want {
		b.Fatalf("%d octets sent, want %d", k.sent, want)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frames), "ns/msg")
}
