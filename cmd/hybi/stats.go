package main

import (
	"fmt"
	"io"

	"github.com/hybi-go/hybi/codec"
	"github.com/hybi-go/hybi/handshake"
	"github.com/hybi-go/hybi/reactor"
)

// writeStats prints the counters, those by kind only where they are not zero.
func writeStats(w io.Writer, s reactor.Stats) {
	row := func(name string, n any) { fmt.Fprintf(w, "  %-34s %v\n", name, n) }
	some := func(name string, n uint64) {
		if n > 0 {
			row(name, n)
		}
	}
	fmt.Fprintln(w, "hybi: counters")
	row("connections", s.Conns)
	row("accepted", s.Accepted)
	some("accept failed", s.AcceptFailed)
	row("opened", s.Opened)
	row("closed", s.Closed)
	row("closed cleanly", s.ClosedClean)
	row("messages in", s.MessagesIn)
	row("messages out", s.MessagesOut)
	row("octets in", s.OctetsIn)
	row("octets out", s.OctetsOut)
	some("pings in", s.PingsIn)
	some("pongs in", s.PongsIn)
	some("octets queued", uint64(s.QueuedOctets))
	some("octets of pooled memory", uint64(s.MemoryOctets))
	for kind, n := range s.Refused {
		some("refused: "+handshake.Kind(kind).String(), n)
	}
	some("handshakes lost", s.HandshakesLost)
	some("dials failed", s.DialsFailed)
	for rule, n := range s.ProtocolErrors {
		some("protocol error: "+codec.Rule(rule).String(), n)
	}
	for timeout, n := range s.Timeouts {
		some("timeout: "+reactor.Timeout(timeout).String(), n)
	}
	some("paused", s.Paused)
	some("queue full", s.QueueFull)
	some("memory full", s.MemoryFull)
	some("inbox full", s.InboxFull)
	some("handler panics", s.HandlerPanics)
}
