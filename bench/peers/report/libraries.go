package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// The libraries, in the order of the tables.
var libraries = []string{"gobwas", "gobwas-checked", "gorilla", "fasthttp", "coder", "gws", "nbio", "xnet"}

// A comparison is of hybi with a library at one size.
type comparison struct {
	label string // the size, and what else tells rows apart
	ours  *row
	row   *row
	ratio ratio // hybi by the library: below 1, hybi is faster
}

// compare pairs hybi's rows of a benchmark with a library's. A library that is
// measured at several phases is compared at each.
func compare(rs *results, name, unit, lib string, keys ...string) (cs []comparison) {
	for _, w := range rs.all(name, append([]string{"impl=" + lib}, keys...)...) {
		ours := rs.like(w, "impl=hybi")
		label := w.keys["size"]
		if ours == nil {
			ours = rs.like(w, "impl=hybi", "phase=1")
			label += " at phase " + w.keys["phase"]
		}
		if ours == nil {
			continue
		}
		if r, err := paired(ours.values[unit], w.values[unit]); err == nil {
			cs = append(cs, comparison{label, ours, w, r})
		}
	}
	return cs
}

// The benchmarks that libraries are compared in.
var contests = []struct {
	title, name, unit string
	keys              []string
}{
	{"Masking, payloads of a 64 KiB buffer", "peers.Mask", seconds, nil},
	{"Masking, one spot", "peers.MaskSpot", seconds, nil},
	{"Parsing, binary, refill included", "peers.Parse", frame, []string{"type=binary"}},
	{"Parsing, text, refill included", "peers.Parse", frame, []string{"type=text"}},
	{"Writing, server", "peers.Encode", seconds, []string{"role=server"}},
	{"Writing, client", "peers.Encode", seconds, []string{"role=client"}},
}

func writeLibraries(w io.Writer, rs *results) error {
	faster := ""
	for _, c := range contests {
		if rs.one(c.name) == nil {
			continue
		}
		fmt.Fprintf(w, "\n%s: ns of hybi; of each library, ns and how many times hybi's\n\n", c.title)
		if err := writeContest(w, rs, c.name, c.unit, c.keys); err != nil {
			return err
		}
		for _, lib := range libraries {
			at := []string{}
			for _, cmp := range compare(rs, c.name, c.unit, lib, c.keys...) {
				if cmp.ratio.ahead() {
					at = append(at, fmt.Sprintf("%s: %v", cmp.label, cmp.ratio))
				}
			}
			if len(at) > 0 {
				faster += fmt.Sprintf("  %s, %s\n      %s\n", c.title, lib, strings.Join(at, "\n      "))
			}
		}
	}
	if faster == "" {
		faster = "  nowhere\n"
	}
	_, err := fmt.Fprintf(w, "\nWhere a library is faster than hybi: size and how many times its time hybi takes\n\n%s", faster)
	return err
}

// writeContest writes the table of one benchmark.
func writeContest(w io.Writer, rs *results, name, unit string, keys []string) error {
	cells := map[string]map[string]string{} // size, library
	columns := []string{}
	add := func(size, column, cell string) {
		if cells[size] == nil {
			cells[size] = map[string]string{}
		}
		cells[size][column] = cell
		if !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
	}
	sizes := []string{}
	for _, ours := range rs.all(name, append([]string{"impl=hybi"}, keys...)...) {
		sizes = append(sizes, ours.keys["size"])
		add(ours.keys["size"], "hybi", ns(median(ours.values[unit])))
	}
	for _, lib := range append([]string{"hybi-batch", "copy", "xorbytes", "refill"}, libraries...) {
		for _, c := range compare(rs, name, unit, lib, keys...) {
			column := lib
			if c.row.keys["phase"] == "0" {
				column += ", phase 0"
			}
			times, err := paired(c.row.values[unit], c.ours.values[unit])
			if err != nil {
				return err
			}
			add(c.row.keys["size"], column, fmt.Sprintf("%s  %.2f×", ns(median(c.row.values[unit])), times.median))
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "size\t%s\t\n", strings.Join(columns, "\t"))
	for _, size := range sizes {
		fmt.Fprintf(tw, "%s\t", size)
		for _, column := range columns {
			fmt.Fprintf(tw, "%s\t", cells[size][column])
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}
