//go:build linux

package conformance

// What depends on more than octets: deadlines, exhaustion, a server that ends or
// that begins the closing handshake. Each status and close code of the README that the
// tables cannot bring about comes from here.

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

// shake does the opening handshake.
func (s *server) shake(t *testing.T) *peer {
	t.Helper()
	p := s.dial(t)
	p.write(request)
	p.expect(accepted)
	return p
}

// tick is a timeout as short as the server's clock tells apart.
const tick = 100 * time.Millisecond

// A head that is not whole in time gets 408, whether it comes slowly or not at all;
// other connections are served meanwhile. Hazards 15 and 29.
func TestSlowHead(t *testing.T) {
	t.Parallel()
	s := serve(t, reactor.Config{HandshakeTimeout: tick})
	defer s.stop(t)
	slow := turned("10.4", "head not whole in time", 408, handshake.ErrTooSlow, "")
	for _, head := range []string{"", "G", request[:100], request[:len(request)-1]} {
		p := s.dial(t)
		p.write(head)
		p.refused(&slow)
		p.eof()
		p.leave("more")
		want := p.before
		want.Accepted++
		want.Refused[handshake.KindTooSlow]++
		want.Timeouts[reactor.TimeoutHandshake]++
		want.OctetsIn, want.OctetsOut = want.OctetsIn+uint64(p.sent), want.OctetsOut+uint64(p.got)
		p.settles(want)
	}
}

// Above MaxConns 503 is all that a connection gets; below it again, all is well.
func TestTooManyConns(t *testing.T) {
	s := serve(t, reactor.Config{MaxConns: 1})
	defer s.stop(t)
	p := s.shake(t)
	q := &peer{T: t, s: s, base: s.r.Stats().OctetsIn}
	q.connect()
	full := turned("10.4", "too many connections", 503, handshake.ErrTooManyConns, "")
	q.refused(&full)
	q.eof()
	q.leave(request + hello)
	p.write(hello + "\x88\x80\x00\x00\x00\x00")
	p.expect(helloBack + "\x88\x00")
	p.eof()
	p.conn.Close()
	p = s.shake(t)
	p.write("\x88\x80\x00\x00\x00\x00")
	p.expect("\x88\x00")
	p.conn.Close()
	if n := s.r.Stats().Refused[handshake.KindTooManyConns]; n != 1 {
		t.Errorf("counted %d", n)
	}
}

// A server that ends: 503 to whoever is in the opening handshake, 1001 to the others,
// whose answer it waits for (§7.4.1).
func TestShuttingDown(t *testing.T) {
	s := serve(t, reactor.Config{})
	p := s.shake(t)
	p.write(hello)
	p.expect(helloBack)
	q := &peer{T: t, s: s}
	q.connect()
	q.write(request[:50])
	q.eventually("the second is accepted", func() bool { return s.r.Stats().Conns == 2 })
	ended := make(chan error, 1)
	go func() { ended <- s.r.Shutdown(context.Background()) }()
	p.expect(closing(1001, ""))
	ending := turned("7.4.1", "shutting down", 503, handshake.ErrShuttingDown, "")
	q.refused(&ending)
	q.eof()
	q.conn.Close()
	p.write(hello + "\x89\x80\x00\x00\x00\x00" + "\x88\x82\x00\x00\x00\x00\x03\xe9")
	p.expect(pong(""))
	p.eof()
	p.conn.Close()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("Shutdown does not return")
	}
	s.stop(t)
	if info := <-s.ends; info.Code != 1001 || !info.Clean || info.Remote {
		t.Errorf("Closed with %+v", info)
	}
}

// Whoever wants memory that is not there is failed with 1013; an announcement is no
// such want. Hazards 3 and 27.
func TestMemoryExhausted(t *testing.T) {
	s := serve(t, reactor.Config{MaxMemory: 1 << 16})
	defer s.stop(t)
	announced := "\x82\xff\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00" // 1 MiB, zero key
	var waiting []*peer
	for range 20 {
		p := &peer{T: t, s: s}
		p.connect()
		p.write(request + announced)
		p.expect(accepted)
		waiting = append(waiting, p)
	}
	p := &peer{T: t, s: s}
	p.connect()
	p.write(request)
	p.expect(accepted)
	if n := s.r.Stats().MemoryOctets; n > 20*64 {
		t.Errorf("20 announcements of 1 MiB hold %d octets of memory", n)
	}
	p.write(announced + letters(200000))
	p.expect(closing(1013, ""))
	p.eof()
	p.conn.Close()
	for _, q := range waiting {
		q.conn.Close()
	}
	p.eventually("all is given back", func() bool { st := s.r.Stats(); return st.MemoryOctets == 0 && st.Conns == 0 })
	if st := s.r.Stats(); st.MemoryFull != 1 {
		t.Errorf("counted %d", st.MemoryFull)
	}
}

// A message that is not whole in time, and a peer that is silent even to a ping: 1008.
// Hazard 29.
func TestSlowPeer(t *testing.T) {
	t.Parallel()
	s := serve(t, reactor.Config{MessageTimeout: tick})
	for _, begin := range []string{"\x01\x81\x00\x00\x00\x00a", "\x81\x85\x00\x00\x00\x00a", "\x81\xfe\x01"} {
		p := s.shake(t)
		p.write(begin)
		p.expect(closing(1008, "message timeout"))
		p.eof()
		p.leave(hello)
	}
	if n := s.r.Stats().Timeouts[reactor.TimeoutMessage]; n != 3 {
		t.Errorf("counted %d", n)
	}
	s.stop(t)
	s = serve(t, reactor.Config{IdleTimeout: 2 * tick})
	p := s.shake(t)
	p.expect(ping("") + closing(1008, "idle timeout"))
	p.eof()
	p.leave("")
	s.stop(t)
}

// The server begins the closing handshake (§7.1.2): then it delivers nothing more,
// answers pings, takes the peer's close frame, and never says anything behind its own.
func TestServerCloses(t *testing.T) {
	t.Parallel()
	s := serve(t, reactor.Config{CloseTimeout: 3 * tick})
	defer s.stop(t)
	bye := frame(0x81, "bye")
	bye = "\x81\x83\x00\x00\x00\x00" + bye[2:]
	over := "\x88\x82\x00\x00\x00\x00\x03\xe8"
	for _, x := range []struct {
		name, behind, reply string
		want                reactor.CloseInfo
	}{
		{"answered", over, "", reactor.CloseInfo{Code: 1000, Clean: true}},
		{"answered by another code", "\x88\x82\x00\x00\x00\x00\x0f\xa0", "", reactor.CloseInfo{Code: 4000, Clean: true}},
		{"answered without a code", "\x88\x80\x00\x00\x00\x00", "", reactor.CloseInfo{Code: codec.CloseNoStatus, Clean: true}},
		{"messages first, none delivered", hello + hello + over, "", reactor.CloseInfo{Code: 1000, Clean: true}},
		{"half a message first", "\x01\x81\x00\x00\x00\x00a" + over, "", reactor.CloseInfo{Code: 1000, Clean: true}},
		{"a ping first, answered", "\x89\x81\x00\x00\x00\x00p" + over, pong("p"), reactor.CloseInfo{Code: 1000, Clean: true}},
		{"a violation, and no second close frame", "\xf1", "", reactor.CloseInfo{Code: 1002}},
		{"text that is not UTF-8, and no second close frame", "\x81\x81\x00\x00\x00\x00\xff", "", reactor.CloseInfo{Code: 1007}},
		{"a close frame with a bad code, and no second one", "\x88\x82\x00\x00\x00\x00\x03\xed", "", reactor.CloseInfo{Code: 1002}},
		{"never answered", "", "", reactor.CloseInfo{Code: 1006}},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := s.shake(t)
			p.write(hello + bye)
			p.expect(helloBack + closing(1000, ""))
			p.write(x.behind)
			p.expect(x.reply)
			p.eof()
			p.conn.Close()
			info := <-s.ends
			if info.Code != x.want.Code || info.Clean != x.want.Clean || info.Remote {
				t.Errorf("Closed with %+v, want %+v", info, x.want)
			}
		})
	}
	p := s.shake(t)
	p.write(hello + bye)
	p.expect(helloBack + closing(1000, ""))
	p.fin()
	p.eof()
	p.conn.Close()
	if info := <-s.ends; info.Code != 1006 || info.Clean {
		t.Errorf("Closed with %+v", info)
	}
	if n := s.r.Stats().MessagesOut; n != 11 {
		t.Errorf("%d messages sent, want one on each connection", n)
	}
}

// What a compressed message looks like (RFC 7692) is a reserved bit after every offer
// has been declined: nothing is ever inflated, so no bomb can go off. Hazard 30.
func TestCompressionIsDeclined(t *testing.T) {
	s := serve(t, reactor.Config{})
	defer s.stop(t)
	for _, offer := range compression {
		p := s.dial(t)
		p.write(strings.TrimSuffix(request, end) + "Sec-WebSocket-Extensions: " + offer + "\r\n" + end)
		p.expect(accepted) // without Sec-WebSocket-Extensions
		p.write(hello + "\xc1")
		p.expect(helloBack + closing(1002, ""))
		p.eof()
		p.leave("\x87\x00\x00\x00\x00\xf2\x48\xcd\xc9\xc9\x07\x00") // RFC 7692 §7.2.3.1
		<-s.ends
	}
	if n := s.r.Stats().ProtocolErrors[codec.RuleReservedBits]; n != uint64(len(compression)) {
		t.Errorf("counted %d", n)
	}
}

// Every descriptor of a server at work is closed on exec: no child process keeps a
// connection open that the server has closed. Hazard 26.
func TestDescriptorsStayHere(t *testing.T) {
	s := serve(t, reactor.Config{})
	defer s.stop(t)
	p := s.shake(t)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		link, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || fd < 3 {
			continue
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(link, "anon_inode:"), ":")
		if !strings.Contains("socket [eventpoll] [eventfd]", kind) {
			continue
		}
		seen[kind] = true
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d, %s, would be inherited", fd, link)
		}
	}
	if !seen["socket"] || !seen["[eventpoll]"] || !seen["[eventfd]"] {
		t.Error("descriptors seen: ", fmt.Sprint(seen))
	}
	p.fin()
	p.eof()
	p.conn.Close()
}
