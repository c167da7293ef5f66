package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// A line of the table of budgets.
type line struct {
	what, size, baseline string
	bound                string // as it is written
	ratio                ratio
	met                  bool
	aside                bool  // not what the budget is about, for comparison
	err                  error // why there is no ratio
}

var errMissing = errors.New("not measured in this run")

// A table gathers lines.
type table struct {
	rs    *results
	lines []line
}

// missing adds a line that says what was not measured.
func (t *table) missing(what, size, baseline, bound string) {
	t.lines = append(t.lines, line{what: what, size: size, baseline: baseline, bound: bound, err: errMissing})
}

// atMost adds a line: ours by base is to be at most bound.
func (t *table) atMost(bound float64, what, size, baseline string, ours, base []float64) {
	r, err := paired(ours, base)
	t.lines = append(t.lines, line{what: what, size: size, baseline: baseline, bound: fmt.Sprintf("≤ %.2f ×", bound), ratio: r, met: r.median <= bound, err: err})
}

// atLeast adds a line: base by ours, how many times as fast, is to be at least bound.
func (t *table) atLeast(bound float64, what, size, baseline string, ours, base []float64) {
	r, err := paired(base, ours)
	t.lines = append(t.lines, line{what: what, size: size, baseline: baseline, bound: fmt.Sprintf("≥ %.2f ×", bound), ratio: r, met: r.median >= bound, err: err})
}

// aside adds a line without a budget: a by b, for comparison.
func (t *table) aside(what, size, baseline string, a, b []float64) {
	r, err := paired(a, b)
	t.lines = append(t.lines, line{what: what, size: size, baseline: baseline, ratio: r, aside: true, err: err})
}

func writeBudgets(w io.Writer, rs *results) error {
	t := &table{rs: rs}
	t.maskAgainstCopy()
	t.maskAgainstLibraries()
	t.parse()
	t.text()
	t.utf8()
	t.server()
	return t.write(w)
}

func (t *table) write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "what\tsize\tbaseline\tbudget\tmeasured\t")
	what, missed := "", 0
	for _, l := range t.lines {
		name := l.what
		if name == what {
			name = ""
		} else if what != "" {
			fmt.Fprintln(tw, "\t\t\t\t\t")
		}
		what = l.what
		switch {
		case l.err != nil:
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t\t%v\n", name, l.size, l.baseline, l.bound, l.err)
		case l.aside:
			fmt.Fprintf(tw, "%s\t%s\t%s\t\t%v\t\n", name, l.size, l.baseline, l.ratio)
		case l.met:
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%v\tmet\n", name, l.size, l.baseline, l.bound, l.ratio)
		default:
			missed++
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%v\tMISSED\n", name, l.size, l.baseline, l.bound, l.ratio)
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d lines MISSED.\n", missed)
	return err
}

func (t *table) maskAgainstCopy() {
	what := "mask.XOR"
	ours, source := t.rs.all("peers.Mask", "impl=hybi", "phase=1"), "peers"
	if len(ours) == 0 {
		ours, source = t.rs.all("mask.XOR", "impl=xor"), "mask"
	}
	if len(ours) == 0 {
		t.missing(what, "", "copy", "")
	}
	for _, w := range ours {
		bound := 0.0
		switch n := w.size(); {
		case n < 16 || n > 65536:
			continue // no budget, or a mixture
		case n <= 32:
			bound = 1.3
		case n <= 256:
			bound = 1.6
		case n <= 1024:
			bound = 1.3
		case n <= 4096:
			bound = 1.05
		default:
			bound = 0.85
		}
		if base := t.rs.like(w, "impl=copy"); base != nil {
			t.atMost(bound, what+" ("+source+")", w.keys["size"], "copy", w.values[seconds], base.values[seconds])
		}
	}
}

// maskAgainstLibraries has a line for each library: the size where it comes closest to
// hybi, or is ahead of it.
func (t *table) maskAgainstLibraries() {
	what := "mask.XOR, every length"
	for _, lib := range []string{"gorilla", "gobwas", "coder", "gws", "nbio", "fasthttp"} {
		worst := line{what: what, baseline: lib, bound: "≤ 1.00 ×", err: errMissing}
		ahead := []string{}
		for _, c := range compare(t.rs, "peers.Mask", seconds, lib) {
			if worst.err != nil || c.ratio.median > worst.ratio.median {
				worst.err, worst.ratio, worst.size = nil, c.ratio, "worst: "+c.label
			}
			if c.ratio.ahead() {
				ahead = append(ahead, c.label)
			}
		}
		worst.met = len(ahead) == 0
		t.lines = append(t.lines, worst)
	}
}

// parse has for each size the budget's line, the refill of the buffer subtracted from
// both sides, and another as it was measured.
func (t *table) parse() {
	t.frames("Parser.Next, binary", "hybi", map[int]float64{16: 4, 64: 4, 125: 4, 1024: 1.5, 4096: 1.5})
	for _, w := range t.rs.all("peers.Parse", "impl=hybi", "type=binary") {
		if w.size() < 4096 {
			continue
		}
		if refill := t.rs.like(w, "impl=refill"); refill != nil {
			t.atMost(1.3, "Parser.Next against copy", w.keys["size"], "copy of the frames", minus(w.values[frame], refill.values[frame]), refill.values[frame])
		}
	}
	t.frames("batch form", "hybi-batch", map[int]float64{16: 6, 64: 6, 125: 6})
}

// frames adds the lines of an implementation against gobwas.
func (t *table) frames(what, impl string, bounds map[int]float64) {
	rows := t.rs.all("peers.Parse", "impl="+impl, "type=binary")
	if len(rows) == 0 {
		t.missing(what, "", "gobwas", "")
	}
	for _, w := range rows {
		bound, base, refill := bounds[w.size()], t.rs.like(w, "impl=gobwas"), t.rs.like(w, "impl=refill")
		if bound == 0 || base == nil || refill == nil {
			continue
		}
		ours, theirs, copied := w.values[frame], base.values[frame], refill.values[frame]
		t.atLeast(bound, what, w.keys["size"], "gobwas, net of refill", minus(ours, copied), minus(theirs, copied))
		t.aside(what, w.keys["size"], "gobwas, refill included", theirs, ours)
	}
}

func (t *table) text() {
	what := "text of ASCII"
	rows := t.rs.all("peers.Parse", "impl=hybi", "type=text")
	if len(rows) == 0 {
		t.missing(what, "", "our own binary", "")
	}
	for _, w := range rows {
		base, refill := t.rs.like(w, "type=binary"), t.rs.like(w, "impl=refill")
		if w.size() > 1024 || base == nil || refill == nil {
			continue
		}
		copied := refill.values[frame] // as long for text as for binary
		t.atMost(1.5, what, w.keys["size"], "binary, net of refill", minus(w.values[frame], copied), minus(base.values[frame], copied))
		t.aside(what, w.keys["size"], "binary, refill included", w.values[frame], base.values[frame])
	}
}

func (t *table) utf8() {
	what := "UTF-8, not ASCII"
	n := len(t.lines)
	for _, base := range t.rs.all("codec.UTF8", "impl=std") {
		text := base.keys["text"]
		if base.size() < 1024 || text == "ascii" {
			continue
		}
		if w := t.rs.like(base, "impl="+t.rs.validator()); w != nil {
			t.atLeast(8, what, text+", "+base.keys["size"], "unicode/utf8.Valid", w.values[seconds], base.values[seconds])
		}
	}
	if len(t.lines) == n {
		t.missing(what, "", "unicode/utf8.Valid", "")
	}
}

// validator returns what our own implementation is called in codec's BenchmarkUTF8.
func (rs *results) validator() string {
	ours := "hybi"
	if rs.one("codec.UTF8", "impl=hybi") == nil {
		for _, w := range rs.all("codec.UTF8") {
			if w.keys["impl"] != "std" {
				ours = w.keys["impl"]
			}
		}
	}
	return ours
}

func (t *table) server() {
	t.echo()
	t.idle()
	t.absolute("allocations of an opening handshake", "handshake.Request", "allocs/op", 0)
}

// absolute adds a line without a baseline: the worst of a benchmark's rows that have
// the keys is to be at most bound.
func (t *table) absolute(what, name, unit string, bound float64, keys ...string) {
	l := line{what: what, baseline: "none", bound: fmt.Sprintf("≤ %.0f", bound), err: errMissing}
	for _, w := range t.rs.all(name, keys...) {
		v := w.values[unit]
		if len(v) == 0 {
			continue
		}
		if r := (ratio{median(v), slices.Min(v), slices.Max(v)}); l.err != nil || r.median > l.ratio.median {
			l.ratio, l.err = r, nil
		}
	}
	l.met = l.ratio.median <= bound
	t.lines = append(t.lines, l)
}
