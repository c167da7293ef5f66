package reactor

import (
	"io"
	"net/netip"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/internal/poll"
)

// The client's beginning: a socket that connects, a request sent, a response
// awaited. After that a client's connection is served by the same code as a
// server's; flagClient says that it masks.

// A dialing is one call of Reactor.Dial until it has succeeded or failed.
type dialing struct {
	request  handshake.ClientRequest
	response handshake.ResponseReader
	key      [16]byte
	state    any
}

// newDialing judges what Dial was given.
func newDialing(network, addr string, req handshake.ClientRequest, state any, cfg *Config) (*dialing, error) {
	if req.Host == "" {
		req.Host = addr
		if network == "unix" {
			req.Host = "localhost"
		}
	}
	d := &dialing{request: req, state: state}
	if _, err := io.ReadFull(cfg.random, d.key[:]); err != nil {
		return nil, err
	}
	if _, err := handshake.AppendRequest(nil, &d.request, d.key); err != nil {
		return nil, err
	}
	d.response.Reset(&d.request, d.key, handshake.Limits{MaxHead: cfg.MaxHead, MaxHeaders: cfg.MaxHeaders})
	return d, nil
}

// dialed takes on a socket that is being connected.
func (l *loop) dialed(fd int, peer netip.AddrPort, d *dialing) {
	index, s, err := l.occupy(fd, peer, codec.Client, poll.Writable)
	if err != nil {
		if l.ended {
			err = ErrShutdown
		}
		l.tellDialFailed(d.state, err)
		return
	}
	s.phase, s.user = phaseDialing, d.state
	l.input(s).dial = d
	switch {
	case l.stopping:
		l.dialFailed(index, s, ErrShutdown)
	case l.conns.n.Load() > l.conns.max:
		l.dialFailed(index, s, ErrConns)
	}
	l.settle(index, s)
}

// connected sends the request, if the socket was connected.
func (l *loop) connected(index int32, s *slot) {
	if e := l.kernel.Connected(int(s.fd)); e != 0 {
		l.dialFailed(index, s, e.Err())
		return
	}
	d := s.in.dial
	request, err := handshake.AppendRequest(l.batch, &d.request, d.key)
	if err != nil { // it was judged before: the caller has changed it since
		l.dialFailed(index, s, err)
		return
	}
	s.phase = phaseOpening
	l.batch, l.raw = request, len(request)
	l.flush(index, s)
}

// response deals with the octets of a response's head, all of them so far; and
// with the frames behind it, if it is whole.
func (l *loop) response(index int32, s *slot, head []byte) {
	res, n, err := s.in.dial.response.Next(head)
	switch {
	case err != nil:
		l.dialFailed(index, s, err)
	case n > 0:
		if l.dialer != nil {
			l.res = res
			l.calling = true
			l.dialer.Dialed(l.conn(index), &l.res)
			l.calling = false
		}
		l.cur = index
		l.begin(index, s, head, n)
	}
}

// dialFailed tells the handler that a connection was not opened, and closes the
// socket: the server has been told nothing that it could miss.
func (l *loop) dialFailed(index int32, s *slot, err error) {
	state := s.in.dial.state // as given to Dial: s.user may be another by now
	l.release(index, s)
	l.tellDialFailed(state, err)
}

func (l *loop) tellDialFailed(state any, err error) {
	l.stats.dialsFailed.Add(1)
	if l.dialer == nil {
		return
	}
	defer func() {
		if l.calling {
			l.calling = false
			l.reportPanic(recover())
		}
	}()
	l.calling = true
	l.dialer.DialFailed(state, err)
	l.calling = false
}

// clientError says for a client what a refusal says for a server.
func clientError(r *handshake.Refusal) error {
	switch r {
	case handshake.ErrTooSlow:
		return ErrDialSlow
	case handshake.ErrShuttingDown:
		return ErrShutdown
	case handshake.ErrTooManyConns: // headRoom's way to say it
		return ErrMemory
	}
	return ErrPanic
}
