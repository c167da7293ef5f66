//go:build linux

package conformance

// The client's role over TCP: a reactor adopts sockets whose opening handshake is
// done, and this end is the server that sends the cases.

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/reactor"
)

// Every case that a client of the default limits can meet, whole and octet by octet;
// the first octets come with the adoption, as read behind the answer's head. All that comes
// back is masked, with a key of its own for each frame. A client leaves the first FIN
// to the server after a clean close (RFC 6455 §7.1.1). Hazards 7, 14 and 19.
func TestAdoptedClientTCP(t *testing.T) {
	t.Parallel()
	s := serve(t, reactor.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	seen := map[string]int{}
	failures := 0
	for _, c := range cases() {
		if !c.plays(codec.Client) || c.MaxMessage != 0 || c.MaxFragments != 0 || failures >= 3 {
			continue
		}
		if len(c.Steps[0].Send) > 100<<10 {
			continue // large sizes are the other role's
		}
		ok := t.Run(c.Name, func(t *testing.T) {
			for _, cut := range cuttings(c.Name)[:2] {
				s.adopt(t, ln, c, cut, seen)
			}
		})
		if !ok {
			failures++
		}
	}
	frames := 0
	for _, n := range seen {
		frames += n
	}
	if len(seen) < frames-frames/1000-1 {
		t.Errorf("%d masking-keys for %d frames", len(seen), frames)
	}
	s.stop(t)
}

func (s *server) adopt(t *testing.T, ln net.Listener, c Case, cut cutting, seen map[string]int) {
	p := &peer{T: t, s: s}
	p.eventually("the last connection is gone", func() bool { p.before = s.r.Stats(); return p.before.Conns == 0 })
	p.base = p.before.OctetsIn
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p.conn = conn.(*net.TCPConn)
	defer p.conn.Close()
	p.conn.SetDeadline(time.Now().Add(patience))
	ours, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f, err := ours.(*net.TCPConn).File()
	ours.Close()
	if err != nil {
		t.Fatal(err)
	}
	sends, rest := c.streams(codec.Client, keys[0])
	all := strings.Join(sends, "")
	_, want := c.joined()
	early := len(all) / 3
	if err := errors.Join(s.r.Adopt(int(f.Fd()), codec.Client, []byte(all[:early])), f.Close()); err != nil {
		t.Fatal(err)
	}
	p.writeCut(all[early:], cut)
	p.expectMasked(want, seen)
	switch {
	case c.Rule != 0:
		p.eof()
		p.leave(rest)
	case c.Code != 0:
		p.write(rest)
		p.fin()
		p.eof()
	default:
		p.fin()
		p.eof()
	}
	info := <-s.ends
	if info.Clean != (c.Code != 0) || c.Rule != 0 && info.Code != answers[c.Rule] || c.Code != 0 && (info.Code != c.Code || info.Reason != c.Reason) {
		t.Errorf("Closed with %+v", info)
	}
}

// expectMasked reads frames that are to be want once they are unmasked.
func (p *peer) expectMasked(want string, seen map[string]int) {
	p.Helper()
	raw := make([]byte, len(want)+4*len(headerEnds(want)))
	n, err := io.ReadFull(p.conn, raw)
	p.got += n
	if err != nil {
		p.Fatalf("%d of %d octets: %v", n, len(raw), err)
	}
	if got, ok := unmask(raw, seen); got != want || !ok {
		p.Fatalf("got %.300q\nwant %.300q; all masked: %v", got, want, ok)
	}
}

// unmask returns what frames from a client would be without their masks, and whether
// all have one. It counts the keys.
func unmask(raw []byte, seen map[string]int) (plain string, ok bool) {
	var out []byte
	for len(raw) >= 6 {
		n, head := int(raw[1]&0x7F), 2
		switch n {
		case 126:
			n, head = int(binary.BigEndian.Uint16(raw[2:])), 4
		case 127:
			n, head = int(binary.BigEndian.Uint64(raw[2:])), 10
		}
		if raw[1]&0x80 == 0 || n < 0 || n > len(raw)-head-4 {
			return string(out) + string(raw), false
		}
		raw[1] &^= 0x80
		out = append(out, raw[:head]...)
		key := raw[head : head+4]
		seen[string(key)]++
		for i, octet := range raw[head+4 : head+4+n] {
			out = append(out, octet^key[i%4])
		}
		raw = raw[head+4+n:]
	}
	return string(out), len(raw) == 0
}
