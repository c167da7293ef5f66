package main

import (
	"maps"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// A tally is what a loop has counted since it handed over the last one. Only the loop
// writes to it; once a second it gets an empty one in exchange, so that nothing
// is shared while messages fly.
type tally struct {
	measured, warm *hdr.Histogram // latencies, ns, of messages that were due in the measured time, or before
	late           *hdr.Histogram // how much later than due a message was sent though nothing was in its way

	sent, echoes         uint64
	good, goodOctets     uint64 // echoes with which nothing was wrong, and their payload
	timely, timelyOctets uint64 // those of them that came in the measured time
	overflow             uint64 // messages that were due but found the backlog full
	wrong                [numFaults]uint64
	failed, lost         map[string]uint64 // connections, by cause
	opened, clean        uint64
	abandoned            uint64 // messages whose connection was lost
	unanswered, unsent   uint64 // messages of connections that were open at the end
	subprotocol          string
}

// longest is the most that a histogram holds; more is counted as that.
const longest = int64(time.Hour)

func newTally() *tally {
	histogram := func() *hdr.Histogram { return hdr.New(1, longest, 3) }
	return &tally{measured: histogram(), warm: histogram(), late: histogram(), failed: map[string]uint64{}, lost: map[string]uint64{}}
}

// record adds a latency to one of the histograms.
func record(h *hdr.Histogram, ns int64) { h.RecordValue(min(max(ns, 0), longest)) }

// add adds what o counted, and empties o.
func (t *tally) add(o *tally) {
	t.addCounts(o)
	for _, h := range [][2]*hdr.Histogram{{t.measured, o.measured}, {t.warm, o.warm}, {t.late, o.late}} {
		if h[1].TotalCount() > 0 {
			h[0].Merge(h[1])
			h[1].Reset()
		}
	}
	clear(o.failed)
	clear(o.lost)
	*o = tally{measured: o.measured, warm: o.warm, late: o.late, failed: o.failed, lost: o.lost}
}

func (t *tally) addCounts(o *tally) {
	for _, n := range [][2]*uint64{
		{&t.sent, &o.sent}, {&t.echoes, &o.echoes}, {&t.good, &o.good}, {&t.goodOctets, &o.goodOctets},
		{&t.timely, &o.timely}, {&t.timelyOctets, &o.timelyOctets}, {&t.overflow, &o.overflow},
		{&t.opened, &o.opened}, {&t.clean, &o.clean},
		{&t.abandoned, &o.abandoned}, {&t.unanswered, &o.unanswered}, {&t.unsent, &o.unsent},
	} {
		*n[0] += *n[1]
	}
	for i, n := range o.wrong {
		t.wrong[i] += n
	}
	for cause, n := range o.failed {
		t.failed[cause] += n
	}
	for cause, n := range o.lost {
		t.lost[cause] += n
	}
	if o.subprotocol != "" {
		t.subprotocol = o.subprotocol
	}
}

// errors is how many connections and echoes went wrong.
func (t *tally) errors() (n uint64) {
	for _, k := range t.wrong {
		n += k
	}
	return n + sum(t.failed) + sum(t.lost)
}

func sum(counts map[string]uint64) (n uint64) {
	for k := range maps.Values(counts) {
		n += k
	}
	return n
}
