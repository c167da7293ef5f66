//go:build linux

package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/internal/poll"
)

// A load is the generator: connections that each send a round of messages, wait
// until all of it has come back, and begin again. It is served by one goroutine
// and does as little as it can, as it must not be the slower end.
type load struct {
	kernel  poll.Kernel
	clients []client
	events  []poll.Event
	buf     []byte
	left    int // rounds that have not begun
	busy    int // clients in a round
}

// A client is one connection. Its rounds are all the same, but no other's are.
type client struct {
	fd        int
	out, want []byte // a round's octets, to the server and back
	sent, got int
}

// A shape says what a load is made of.
type shape struct{ conns, outstanding, size int }

const (
	stallTime = 5 * time.Second // without a single octet
	callTime  = 5 * time.Second // of one call while connecting
)

// isRaw reports whether a kind of server sends the octets back as they are.
func isRaw(kind string) bool { return strings.HasPrefix(kind, "raw") }

// errWrong is an echo that is not what was sent.
var errWrong = errors.New("wrong echo")

// newLoad connects and encodes, so that nothing but traffic is left to do.
func newLoad(addr netip.AddrPort, kind string, sh shape) (*load, error) {
	kernel, err := poll.New()
	if err != nil {
		return nil, err
	}
	l := &load{kernel: kernel, events: make([]poll.Event, 256), buf: make([]byte, 256<<10)}
	random := rand.NewChaCha8([32]byte([]byte("the same octets in each of runs.")))
	payload := make([]byte, sh.size)
	for i := range sh.conns {
		fd, err := dial(addr)
		if err == nil && !isRaw(kind) {
			err = upgrade(fd)
		}
		if err == nil {
			own, _, failed := poll.Prepare(fd)
			unix.Close(fd)
			fd, err = own, failed
		}
		if err == nil {
			err = kernel.Watch(fd, uint64(i), poll.Readable).Err()
		}
		if err != nil {
			l.close()
			return nil, fmt.Errorf("connection %d: %w", i, err)
		}
		c := client{fd: fd}
		for range sh.outstanding {
			random.Read(payload)
			h := codec.Header{FIN: true, Opcode: codec.OpBinary}
			c.want = codec.AppendFrame(c.want, h, payload)
			h.Masked = true
			random.Read(h.MaskingKey[:])
			c.out = codec.AppendFrame(c.out, h, payload)
		}
		if isRaw(kind) {
			c.want = c.out
		}
		l.clients = append(l.clients, c)
	}
	return l, nil
}

// dial connects a blocking socket. It is reset when closed, as thousands in
// TIME_WAIT would use up the ports.
func dial(addr netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	limit := unix.NsecToTimeval(callTime.Nanoseconds())
	err = errors.Join(
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
		unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}),
	)
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// upgrade does the opening handshake, with the key and the answer of RFC 6455
// section 1.3.
func upgrade(fd int) error {
	request := "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	if _, err := unix.Write(fd, []byte(request)); err != nil {
		return os.NewSyscallError("write", err)
	}
	var head []byte
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		var b [512]byte
		n, err := unix.Read(fd, b[:])
		if err != nil {
			return os.NewSyscallError("read", err)
		}
		if head = append(head, b[:n]...); n == 0 || len(head) > 4096 {
			break
		}
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) || !bytes.Contains(head, []byte("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")) {
		return fmt.Errorf("not an opening handshake: %q", head)
	}
	return nil
}

func (l *load) close() {
	for i := range l.clients {
		l.kernel.Close(l.clients[i].fd)
	}
	l.kernel.Release()
}

// run does so many rounds, spread over the clients as they come, and checks that
// nothing came back but what was sent.
func (l *load) run(rounds int) error {
	l.left = rounds
	for i := range l.clients {
		if l.left > 0 {
			if err := l.begin(i); err != nil {
				return err
			}
		}
	}
	var stalled time.Duration // since when nothing has come, or 0
	for l.busy > 0 {
		n, e := l.kernel.Wait(l.events, time.Second)
		if e != 0 {
			return e.Err()
		}
		if n > 0 {
			stalled = 0
		} else if now := l.kernel.Now(); stalled == 0 {
			stalled = now
		} else if now-stalled > stallTime {
			return fmt.Errorf("%d of %d connections have had no octet for %v", l.busy, len(l.clients), stallTime)
		}
		for _, ev := range l.events[:n] {
			i := int(ev.Token)
			if ev.Flags&poll.Writable != 0 {
				if err := l.push(i); err != nil {
					return err
				}
			}
			if ev.Flags&^poll.Writable != 0 {
				if err := l.pull(i); err != nil {
					return err
				}
			}
		}
	}
	for i := range l.clients {
		if n, e := l.kernel.Recv(l.clients[i].fd, l.buf); e != poll.EAGAIN {
			return fmt.Errorf("connection %d: %d octets too many (%v): %w", i, n, e, errWrong)
		}
	}
	return nil
}

// begin begins a round.
func (l *load) begin(i int) error {
	l.left--
	l.busy++
	l.clients[i].sent, l.clients[i].got = 0, 0
	return l.push(i)
}

// push sends the rest of a round, as far as the socket takes it.
func (l *load) push(i int) error {
	c := &l.clients[i]
	waited := c.sent > 0
	n, e := l.kernel.Send(c.fd, c.out[c.sent:])
	if e != 0 && e != poll.EAGAIN {
		return fmt.Errorf("connection %d: send: %w", i, e.Err())
	}
	c.sent += n
	switch whole := c.sent == len(c.out); {
	case !whole:
		l.kernel.Rewatch(c.fd, uint64(i), poll.Readable|poll.Writable)
	case waited:
		l.kernel.Rewatch(c.fd, uint64(i), poll.Readable)
	}
	return nil
}

// pull takes what has come, and begins the next round if this one is over.
func (l *load) pull(i int) error {
	c := &l.clients[i]
	n, e := l.kernel.Recv(c.fd, l.buf)
	switch {
	case e == poll.EAGAIN || e == poll.EINTR:
		return nil
	case e != 0:
		return fmt.Errorf("connection %d: recv: %w", i, e.Err())
	case n == 0:
		return fmt.Errorf("connection %d: closed by the server", i)
	case n > len(c.want)-c.got || !bytes.Equal(l.buf[:n], c.want[c.got:c.got+n]):
		return fmt.Errorf("connection %d, octet %d of a round: %w", i, c.got, errWrong)
	}
	if c.got += n; c.got < len(c.want) {
		return nil
	}
	l.busy--
	if l.left > 0 {
		return l.begin(i)
	}
	return nil
}
