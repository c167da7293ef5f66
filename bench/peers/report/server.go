package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// The servers, in the order of the tables. The ratios of a table are to the first.
var serverKinds = []string{"raw", "rawc", "hybi", "gnet", "gobwas", "gws", "gorilla", "fasthttp", "coder", "nbio"}

const (
	cpuTime = "cpu-sec/msg"
	rawInGo = "raw epoll loop in Go"
	rawInC  = "raw epoll loop in C"
)

// writeServer writes the budgets that are about sockets, and what each server costs.
func writeServer(w io.Writer, rs *results) error {
	t := &table{rs: rs}
	t.echo()
	t.calls()
	t.idle()
	if err := t.write(w); err != nil {
		return err
	}
	for _, part := range []struct{ title, name, unit string }{
		{"Processor time of the server per echoed message, in µs, and how many times that of the raw loop in Go", "bench.Echo", cpuTime},
		{"Echoes per second of wall time, in thousands: the slower of server and generator", "bench.Echo", "msgs/s"},
		{"Growth of resident memory, in octets per idle connection", "bench.Idle", "rss-B/conn"},
	} {
		if err := writeServers(w, rs, part.title, part.name, part.unit); err != nil {
			return err
		}
	}
	return nil
}

// echo has the lines of processor time per echoed message.
func (t *table) echo() {
	what := "CPU per echoed message"
	for _, c := range []struct {
		outstanding, base, baseline string
		bound                       float64
	}{
		{"1", "raw", rawInGo, 1.05}, {"16", "raw", rawInGo, 1.15},
		{"1", "rawc", rawInC, 1.15}, {"16", "rawc", rawInC, 1.25},
	} {
		size := c.outstanding + " outstanding"
		w := t.rs.one("bench.Echo", "server=hybi", "conns=50", "size=64", "outstanding="+c.outstanding)
		if w == nil || t.rs.like(w, "server="+c.base) == nil {
			t.missing(what, size, c.baseline, fmt.Sprintf("≤ %.2f ×", c.bound))
			continue
		}
		t.atMost(c.bound, what, size, c.baseline, w.values[cpuTime], t.rs.like(w, "server="+c.base).values[cpuTime])
	}
}

// calls has the lines of system calls per message. The bounds have two decimals, and
// what is counted is rounded to them: a call or two in ten thousand are not the echo's.
func (t *table) calls() {
	for _, c := range []struct {
		outstanding, unit, name string
		bound                   float64
	}{
		{"1", "recv/msg", "recv", 1}, {"1", "send/msg", "send", 1},
		{"16", "recv/msg", "recv", 0.07}, {"16", "send/msg", "send", 0.07}, {"16", "wait/msg", "epoll_wait", 0.07},
	} {
		l := line{what: "system calls per message, 100 connections", size: c.name + ", " + c.outstanding + " outstanding",
			baseline: "none", bound: fmt.Sprintf("≤ %.2f", c.bound), err: errMissing}
		if w := t.rs.one("bench.Calls", "server=hybi", "outstanding="+c.outstanding); w != nil && len(w.values[c.unit]) > 0 {
			v := w.values[c.unit]
			l.ratio, l.err = ratio{median(v), slices.Min(v), slices.Max(v)}, nil
			l.met = math.Round(l.ratio.median*100)/100 <= c.bound
		}
		t.lines = append(t.lines, l)
	}
	what := "system calls per message, 100 connections"
	w := t.rs.one("bench.Calls", "server=hybi", "outstanding=1")
	if w == nil || t.rs.like(w, "server=raw") == nil {
		t.missing(what, "epoll_wait, 1 outstanding", rawInGo, "≤ 1.10 ×")
		return
	}
	t.atMost(1.1, what, "epoll_wait, 1 outstanding", rawInGo, w.values["wait/msg"], t.rs.like(w, "server=raw").values["wait/msg"])
}

func (t *table) idle() {
	t.absolute("octets resident for an idle connection", "bench.Idle", "rss-B/conn", 200, "server=hybi")
}

// writeServers writes a table of all servers, a line for each shape of load.
func writeServers(w io.Writer, rs *results, title, name, unit string) error {
	columns := slices.DeleteFunc(slices.Clone(serverKinds), func(kind string) bool { return rs.one(name, "server="+kind) == nil })
	if len(columns) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\n\n%s\n\n", title)
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "connections\toutstanding\tsize\t%s\t\n", strings.Join(columns, "\t"))
	for _, first := range rs.rows {
		if first.pkg+"."+first.name != name || !first.has("server="+columns[0]) {
			continue
		}
		outstanding := first.keys["outstanding"]
		if outstanding == "" {
			outstanding = "1"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t", first.keys["conns"], outstanding, first.keys["size"])
		for _, kind := range columns {
			cell := "–"
			if other := rs.like(first, "server="+kind); other != nil {
				cell = serverCell(unit, other.values[unit], first.values[unit])
			}
			fmt.Fprintf(tw, "%s\t", cell)
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// serverCell is a median, and for processor time how many times the base's.
func serverCell(unit string, v, base []float64) string {
	switch m := median(v); unit {
	case cpuTime:
		times, err := paired(v, base)
		if err != nil { // not of the same passes
			return fmt.Sprintf("%.2f", m*1e6)
		}
		return fmt.Sprintf("%.2f  %.2f×", m*1e6, times.median)
	case "msgs/s":
		return fmt.Sprintf("%.0f", m/1e3)
	default:
		return fmt.Sprintf("%.0f", m)
	}
}
