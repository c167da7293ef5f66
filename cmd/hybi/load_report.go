package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// A loadReport is the summary of a run. Its JSON names are a promise.
type loadReport struct {
	target             string  // the URL, and the port that it means
	URL                string  `json:"url"`
	Subprotocol        string  `json:"subprotocol,omitempty"`
	Type               string  `json:"type"`
	SizeMinOctets      int64   `json:"size_min_octets"`
	SizeMaxOctets      int64   `json:"size_max_octets"`
	Outstanding        int     `json:"outstanding_per_connection"`
	RateWanted         float64 `json:"rate_wanted_per_second"` // 0: none
	Verify             bool    `json:"verify"`
	Loops              int     `json:"loops"`
	Duration           float64 `json:"duration_wanted_seconds"`
	Ramp               float64 `json:"ramp_seconds"`
	WarmUpWanted       float64 `json:"warmup_wanted_seconds"`
	TimeoutSeconds     float64 `json:"timeout_seconds"`
	Interrupted        bool    `json:"interrupted"`
	WarmUpSeconds      float64 `json:"warmup_seconds"`
	MeasuredSeconds    float64 `json:"measured_seconds"`
	EchoesMeasured     uint64  `json:"echoes_measured"` // that came in the measured time, wrong ones left out
	EchoesPerSecond    float64 `json:"echoes_per_second"`
	OctetsPerSecond    float64 `json:"octets_per_second"` // payload of those
	MessagesSent       uint64  `json:"messages_sent"`     // in the whole run, as the next
	EchoesReceived     uint64  `json:"echoes_received"`
	BacklogOverflow    uint64  `json:"messages_over_backlog"` // due, but the backlog was full
	Unsent             uint64  `json:"messages_never_sent"`   // left in a backlog
	Unanswered         uint64  `json:"messages_without_echo"` // on connections open to the end
	Abandoned          uint64  `json:"messages_lost_with_connection"`
	ConnectionsWanted  int     `json:"connections_wanted"`
	ConnectionsDialed  int64   `json:"connections_dialed"`
	ConnectionsOpened  uint64  `json:"connections_opened"`
	ConnectionsClean   uint64  `json:"connections_closed_cleanly"`
	ConnectionsUnclean uint64  `json:"connections_close_unanswered"`

	ConnectionsFailed map[string]uint64 `json:"connections_failed"` // not opened, by cause
	ConnectionsLost   map[string]uint64 `json:"connections_lost"`   // ended before their time, by cause
	WrongEchoes       map[string]uint64 `json:"wrong_echoes"`       // by kind

	Latency   latencies `json:"latency"`
	SendDelay latencies `json:"send_delay"` // with a rate: between due and sent, where nothing was in the way
	Histogram []bar     `json:"latency_histogram"`

	ProcessorSeconds float64 `json:"generator_processor_seconds"`
	ProcessorShare   float64 `json:"generator_processor_share"` // of what its loops can use
	WaitShare        float64 `json:"generator_waited_share"`    // of the measured time, its loops waiting for a processor
	Bottleneck       string  `json:"generator_bottleneck"`      // why it may have been one, or ""
}

// latencies are of a histogram.
type latencies struct {
	Count int64 `json:"count"`
	Min   int64 `json:"min_ns"`
	Mean  int64 `json:"mean_ns"`
	P50   int64 `json:"p50_ns"`
	P90   int64 `json:"p90_ns"`
	P99   int64 `json:"p99_ns"`
	P999  int64 `json:"p99_9_ns"`
	P9999 int64 `json:"p99_99_ns"`
	Max   int64 `json:"max_ns"`
}

// A bar counts what took longer than the one before it and no longer than UpTo.
type bar struct {
	UpTo  int64 `json:"up_to_ns"`
	Count int64 `json:"count"`
}

const (
	fullShare = 0.9                  // of its loops' processors: the generator may be what is slow
	longWait  = 0.2                  // for a processor, of the measured time
	lateSend  = 5 * time.Millisecond // of one message in a hundred
)

func latenciesOf(h *hdr.Histogram) latencies {
	if h.TotalCount() == 0 {
		return latencies{}
	}
	at := h.ValueAtQuantile
	return latencies{h.TotalCount(), h.Min(), int64(h.Mean()), at(50), at(90), at(99), at(99.9), at(99.99), h.Max()}
}

// barsOf sorts a histogram by the steps 1, 2 and 5 of each power of ten.
func barsOf(h *hdr.Histogram) []bar {
	bars := []bar{}
	limit, factor := int64(1000), []int64{2, 5, 10}
	var at int
	var power int64 = 1000
	var n int64
	for _, b := range h.Distribution() {
		if b.Count == 0 {
			continue
		}
		for b.To > limit {
			if n > 0 || len(bars) > 0 {
				bars = append(bars, bar{limit, n})
			}
			n = 0
			limit = power * factor[at]
			if at++; at == len(factor) {
				at, power = 0, power*10
			}
		}
		n += b.Count
	}
	if n > 0 {
		bars = append(bars, bar{limit, n})
	}
	return bars
}

// report makes the summary of a run that has not begun.
func (o *loadOptions) report() *loadReport {
	return &loadReport{
		target: o.to.String(), URL: o.to.url, Type: o.kind, SizeMinOctets: int64(o.sizes.least), SizeMaxOctets: int64(o.sizes.most),
		Outstanding: o.outstanding, RateWanted: o.rate, Verify: o.verify, Loops: o.loops,
		Duration: o.duration.Seconds(), Ramp: o.ramp.Seconds(), WarmUpWanted: o.warmup.Seconds(), TimeoutSeconds: o.timeout.Seconds(),
		ConnectionsWanted: o.conns, ConnectionsFailed: map[string]uint64{}, ConnectionsLost: map[string]uint64{}, WrongEchoes: map[string]uint64{},
		Histogram: []bar{},
	}
}

// report makes the summary of a run that is over.
func (r *loadRun) report() *loadReport {
	t, rep := r.total, r.loadOptions.report()
	measured := time.Duration(r.until - r.from).Seconds()
	rep.Subprotocol, rep.Interrupted = t.subprotocol, r.interrupted
	rep.WarmUpSeconds, rep.MeasuredSeconds = time.Duration(r.from).Seconds(), measured
	rep.EchoesMeasured, rep.MessagesSent, rep.EchoesReceived = t.timely, t.sent, t.echoes
	rep.BacklogOverflow, rep.Unsent, rep.Unanswered, rep.Abandoned = t.overflow, t.unsent, t.unanswered, t.abandoned
	rep.ConnectionsDialed, rep.ConnectionsOpened, rep.ConnectionsClean = r.dialed.Load(), t.opened, t.clean
	rep.ConnectionsUnclean = t.opened - t.clean - sum(t.lost)
	rep.ConnectionsFailed, rep.ConnectionsLost = t.failed, t.lost
	rep.Latency, rep.SendDelay, rep.Histogram = latenciesOf(t.measured), latenciesOf(t.late), barsOf(t.measured)
	rep.ProcessorSeconds = r.used.Seconds()
	for what, n := range t.wrong {
		if n > 0 {
			rep.WrongEchoes[faultNames[what]] = n
		}
	}
	if measured > 0 {
		rep.EchoesPerSecond = float64(t.timely) / measured
		rep.OctetsPerSecond = float64(t.timelyOctets) / measured
		available := measured * float64(min(rep.Loops, runtime.NumCPU()))
		rep.ProcessorShare = rep.ProcessorSeconds / available
		rep.WaitShare = r.waited.Seconds() / measured / float64(rep.Loops)
	}
	rep.Bottleneck = rep.bottleneck()
	return rep
}

// bottleneck says why the figures may be the generator's and not the server's.
func (r *loadReport) bottleneck() string {
	var why []string
	if r.ProcessorShare >= fullShare {
		why = append(why, fmt.Sprintf("it used %.0f %% of the processors that its %d loops can use: give it more -loops, more processors, or run several", 100*r.ProcessorShare, r.Loops))
	}
	if r.WaitShare >= longWait {
		why = append(why, fmt.Sprintf("it waited for a processor that others used for %.0f %% of the time: give it a free processor for each loop", 100*r.WaitShare))
	}
	if time.Duration(r.SendDelay.P99) >= lateSend {
		why = append(why, fmt.Sprintf("one message in a hundred was sent %s late or more though nothing was in its way: lower -rate, or give it more processors", show(r.SendDelay.P99)))
	}
	return strings.Join(why, "; ")
}

// verdict is what the exit status follows from.
func (r *loadReport) verdict() error {
	switch {
	case len(r.WrongEchoes) > 0:
		return fmt.Errorf("wrong echoes: %s", counts(r.WrongEchoes))
	case r.ConnectionsOpened == 0 && r.Interrupted:
		return errors.New("interrupted before a connection was opened")
	case r.ConnectionsOpened == 0:
		return fmt.Errorf("nothing could be connected to %s: %s", r.target, counts(r.ConnectionsFailed))
	case r.EchoesReceived == 0 && r.MessagesSent > 0:
		return fmt.Errorf("nothing was echoed by %s", r.target)
	case r.EchoesMeasured > 0 || r.Interrupted:
		return nil
	case sum(r.ConnectionsLost) == r.ConnectionsOpened:
		return fmt.Errorf("nothing was echoed in the measured time: all connections were lost: %s", counts(r.ConnectionsLost))
	}
	return errors.New("nothing was echoed in the measured time: raise -duration")
}

// notTried tells of n connections for which there was no time.
func (r *loadReport) notTried(n int64) string {
	if r.Interrupted {
		return strconv.FormatInt(n, 10)
	}
	timeout := time.Duration(r.TimeoutSeconds * 1e9).Round(time.Microsecond)
	return fmt.Sprintf("%d: -timeout %v ended it; raise -timeout or use -ramp", n, timeout)
}

// counts lists what is counted by name, the most first.
func counts(of map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		if of[a] != of[b] {
			return int(min(of[b], math.MaxInt32)) - int(min(of[a], math.MaxInt32))
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, of[name])
	}
	return strings.Join(names, ", ")
}

func (r *loadReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	_, err := io.WriteString(w, r.text())
	return err
}

// text is the summary for people.
func (r *loadReport) text() string {
	var b strings.Builder
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-22s "+format+"\n", append([]any{name}, args...)...)
	}
	some := func(name string, n uint64) {
		if n > 0 {
			row(name, "%d", n)
		}
	}
	sizes := sizeRange{size(r.SizeMinOctets), size(r.SizeMaxOctets)}
	fmt.Fprintf(&b, "hybi load %s: %s, size %v, outstanding %d, loops %d\n", r.URL, r.Type, &sizes, r.Outstanding, r.Loops)
	if r.Interrupted {
		row("interrupted", "the summary so far")
	}
	row("connections", "%d of %d", r.ConnectionsOpened, r.ConnectionsWanted)
	if n := int64(r.ConnectionsWanted) - r.ConnectionsDialed; n > 0 {
		row("not tried in time", "%s", r.notTried(n))
	}
	if r.Subprotocol != "" {
		row("subprotocol", "%s", r.Subprotocol)
	}
	if len(r.ConnectionsFailed) > 0 {
		row("not opened", "%s", counts(r.ConnectionsFailed))
	}
	if len(r.ConnectionsLost) > 0 {
		row("lost", "%s", counts(r.ConnectionsLost))
	}
	some("close not answered", r.ConnectionsUnclean)
	row("measured", "%.2f s, %.2f s after the start", r.MeasuredSeconds, r.WarmUpSeconds)
	row("echoes", "%d, %.0f msg/s, %.2f MB/s", r.EchoesMeasured, r.EchoesPerSecond, r.OctetsPerSecond/1e6)
	if r.RateWanted > 0 {
		row("rate wanted", "%.0f msg/s", r.RateWanted)
	}
	if len(r.WrongEchoes) > 0 {
		row("WRONG ECHOES", "%s", counts(r.WrongEchoes))
	}
	some("without an echo", r.Unanswered)
	some("lost with connections", r.Abandoned)
	some("due but never sent", r.Unsent)
	some("due, backlog full", r.BacklogOverflow)
	row("processor time", "%.2f s, %.0f %% of what the loops can use; waited for it %.0f %%", r.ProcessorSeconds, 100*r.ProcessorShare, 100*r.WaitShare)
	if r.RateWanted > 0 {
		row("sent late by", "p50 %s, p99 %s, max %s", show(r.SendDelay.P50), show(r.SendDelay.P99), show(r.SendDelay.Max))
	}
	if r.Bottleneck != "" {
		row("warning", "the generator may have been the bottleneck: %s", r.Bottleneck)
	}
	r.histogram(&b)
	return b.String()
}

// histogram draws the latencies.
func (r *loadReport) histogram(b *strings.Builder) {
	l := r.Latency
	if l.Count == 0 {
		return
	}
	fmt.Fprintf(b, "\nlatency of %d messages\n", l.Count)
	for _, x := range []struct {
		name string
		ns   int64
	}{{"min", l.Min}, {"mean", l.Mean}, {"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999}, {"p99.99", l.P9999}, {"max", l.Max}} {
		fmt.Fprintf(b, "  %-7s %9s\n", x.name, show(x.ns))
	}
	fmt.Fprintf(b, "\n  %-13s %11s %10s\n", "latency", "messages", "cumulative")
	var most, so int64
	for _, x := range r.Histogram {
		most = max(most, x.Count)
	}
	for _, x := range r.Histogram {
		so += x.Count
		stars := strings.Repeat("#", int((x.Count*40+most-1)/most))
		fmt.Fprintf(b, "  up to %7s %11d   %6.2f %%  %s\n", show(x.UpTo), x.Count, 100*float64(so)/float64(l.Count), stars)
	}
}

// show returns a duration of ns with three digits and its unit.
func show(ns int64) string {
	for _, u := range []struct {
		of   float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if v := float64(ns) / u.of; v >= 1 {
			digits := max(0, 2-int(math.Log10(v)))
			return fmt.Sprintf("%.*f %s", digits, v, u.name)
		}
	}
	return fmt.Sprintf("%d ns", ns)
}

// line writes what the last second brought.
func (r *loadRun) line() {
	r.collect()
	now := r.plan.now()
	t := r.second
	if r.progress != nil {
		both := hdr.New(1, longest, 3)
		both.Merge(t.measured)
		both.Merge(t.warm)
		l := latenciesOf(both)
		per := 1e9 / float64(max(now-r.lineAt, 1))
		fmt.Fprintf(r.progress, "%4.0f s %s %6d conns %9.0f msg/s %8.2f MB/s  p50 %s  p99 %s  max %s  errors %d\n", float64(now)/1e9, r.where(now),
			r.plan.open.Load(), float64(t.good)*per, float64(t.goodOctets)*per/1e6, show(l.P50), show(l.P99), show(l.Max), r.total.errors()+t.errors())
	}
	r.lineAt = now
	r.total.add(t)
}

// where is how far a run has come.
func (r *loadRun) where(now int64) string {
	if r.until == 0 {
		return "warm-up"
	}
	return fmt.Sprintf("%5.0f %%", 100*min(1, float64(now-r.from)/float64(r.duration)))
}
