//go:build linux

package conformance

// The opening handshake over TCP. A refusal arrives whole, with the server's FIN
// behind it, and whatever is sent after it is answered by nobody.

import (
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hybi-go/hybi/reactor"
)

// date is what a refusal has for a Date line before it is compared.
const date = "Thu, 01 Jan 1970 00:00:00 GMT"

// Every request, in every way that frames are played in. Hazards 15, 17, 18, 19, 20,
// 28 and 30.
func TestOpeningTCP(t *testing.T) {
	queue := make(chan Opening)
	var failures atomic.Int32
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			s := serve(t, reactor.Config{Subprotocols: subprotocols})
			for o := range queue {
				if failures.Load() >= enough || t.Run(o.Name, func(t *testing.T) { s.openEach(t, o) }) {
					continue
				}
				failures.Add(1)
				s.stop(t) // it may be in disorder
				s = serve(t, reactor.Config{Subprotocols: subprotocols})
			}
			s.stop(t)
		})
	}
	for _, o := range openings() {
		queue <- o
	}
	close(queue)
	wg.Wait()
}

func (s *server) openEach(t *testing.T, o Opening) {
	for w := range numWays {
		s.open(t, o, w)
	}
}

func (s *server) open(t *testing.T, o Opening, w way) {
	t.Helper()
	p := s.dial(t)
	defer p.conn.Close()
	certain, rest := o.parts()
	if o.Status == 101 {
		rest = ""
	}
	smuggled := rest + request + hello + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
	send := func(s string) {
		if w == octets || w == random && len(s) < 1000 {
			p.writeCut(s, cuttings(o.Name)[w])
		} else {
			p.write(s)
		}
	}
	behind := smuggled
	if o.Status == 101 {
		behind = hello + "\x88\x82\x00\x00\x00\x00\x03\xe8"
	}
	together := w == segment || w == finBehind
	if together {
		certain += behind
	}
	send(certain)
	if w == finBehind {
		p.fin()
	}
	if o.Status == 101 {
		p.expect(o.answer(""))
		if !together {
			send(behind)
		}
		p.expect(helloBack + closing(1000, ""))
	} else {
		p.refused(&o)
	}
	p.eof()
	switch {
	case w == finBehind: // has left
	case together, o.Status == 101:
		p.leave("")
	default:
		p.leave(behind)
	}
	want := p.before
	want.Accepted++
	want.OctetsIn += uint64(p.sent)
	want.OctetsOut += uint64(p.got)
	if o.Status == 101 {
		want.Opened, want.Closed, want.ClosedClean = want.Opened+1, want.Closed+1, want.ClosedClean+1
		want.MessagesIn, want.MessagesOut = want.MessagesIn+1, want.MessagesOut+1
		<-s.ends
	} else {
		want.Refused[o.Want.Kind]++
	}
	p.settles(want)
}

// refused reads a refusal and compares it, but for the time that its Date line says,
// which must be now.
func (p *peer) refused(o *Opening) {
	p.Helper()
	want := o.answer(date)
	got := make([]byte, len(want))
	n, err := io.ReadFull(p.conn, got)
	p.got += n
	answer := string(got[:n])
	if at := strings.Index(answer, "\r\nDate: ") + 8; at >= 8 && at+len(date) <= len(answer) {
		said := answer[at : at+len(date)]
		if when, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", said); err != nil || time.Since(when) < -time.Minute || time.Since(when) > time.Minute {
			p.Errorf("Date: %q, %v", said, err)
		}
		answer = answer[:at] + date + answer[at+len(date):]
	}
	if answer != want {
		p.Fatalf("got %q\nwant %q\n(%v)", answer, want, err)
	}
}
