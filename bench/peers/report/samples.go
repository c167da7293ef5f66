package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// A row is one benchmark of the raw file, with its samples in the order of the
// passes: run.sh runs everything once in each.
type row struct {
	pkg    string // the last element of the import path
	name   string // without Benchmark and keys
	keys   map[string]string
	values map[string][]float64 // by benchfmt's tidied unit: sec/op, sec/frame, B/s
}

// A results is a raw file.
type results struct {
	rows []*row
	cpu  string
}

func readResults(name string) (*results, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rs := &results{}
	seen := map[string]*row{}
	r := benchfmt.NewReader(f, name)
	for r.Scan() {
		switch rec := r.Result().(type) {
		case *benchfmt.Result:
			rs.add(seen, rec)
		case *benchfmt.SyntaxError:
			return nil, rec
		}
	}
	return rs, r.Err()
}

func (rs *results) add(seen map[string]*row, res *benchfmt.Result) {
	pkg := res.GetConfig("pkg")
	rs.cpu = res.GetConfig("cpu")
	id := pkg + " " + string(res.Name)
	w := seen[id]
	if w == nil {
		base, parts := res.Name.Parts()
		w = &row{pkg: pkg[strings.LastIndexByte(pkg, '/')+1:], name: string(base), keys: map[string]string{}, values: map[string][]float64{}}
		for _, part := range parts {
			if key, value, ok := strings.Cut(strings.TrimPrefix(string(part), "/"), "="); ok {
				w.keys[key] = value
			}
		}
		seen[id] = w
		rs.rows = append(rs.rows, w)
	}
	for _, v := range res.Values {
		w.values[v.Unit] = append(w.values[v.Unit], v.Value)
	}
}

// all returns the rows of a benchmark that have the keys, given as "impl=hybi", in
// the order of their sizes. The name may be qualified by a package: "codec.Parse".
func (rs *results) all(name string, keys ...string) (rows []*row) {
	pkg, name, qualified := strings.Cut(name, ".")
	if !qualified {
		pkg, name = "", pkg
	}
	for _, w := range rs.rows {
		if w.name == name && (pkg == "" || w.pkg == pkg) && !slices.ContainsFunc(keys, func(k string) bool { return !w.has(k) }) {
			rows = append(rows, w)
		}
	}
	slices.SortStableFunc(rows, func(a, b *row) int { return cmp.Compare(a.size(), b.size()) })
	return rows
}

// one returns the first of all, or nil.
func (rs *results) one(name string, keys ...string) *row {
	if rows := rs.all(name, keys...); len(rows) > 0 {
		return rows[0]
	}
	return nil
}

// best returns of the rows of one size the one with the least time: of a library that
// is measured at several phases the phase that suits it.
func (rs *results) best(name string, keys ...string) (rows []*row) {
	for _, w := range rs.all(name, keys...) {
		last := len(rows) - 1
		switch {
		case last < 0 || rows[last].keys["size"] != w.keys["size"]:
			rows = append(rows, w)
		case median(w.values[seconds]) < median(rows[last].values[seconds]):
			rows[last] = w
		}
	}
	return rows
}

func (w *row) has(pair string) bool {
	key, value, _ := strings.Cut(pair, "=")
	return w.keys[key] == value
}

// size returns the key size as a number; what is none, a mixture, sorts last.
func (w *row) size() int {
	n, err := strconv.Atoi(w.keys["size"])
	if err != nil {
		return math.MaxInt
	}
	return n
}

// like returns the row that differs from w in the given keys only, or nil.
func (rs *results) like(w *row, keys ...string) *row {
	want := []string{}
	for k, v := range w.keys {
		if !slices.ContainsFunc(keys, func(pair string) bool { return strings.HasPrefix(pair, k+"=") }) {
			want = append(want, k+"="+v)
		}
	}
	return rs.one(w.pkg+"."+w.name, append(want, keys...)...)
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if len(s) == 0 {
		return math.NaN()
	}
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// seconds is the unit of most comparisons, frame that of parsing.
const (
	seconds = "sec/op"
	frame   = "sec/frame"
)

// A ratio is of two rows' samples, taken pass by pass: what slows one pass down slows
// both of its samples.
type ratio struct{ median, least, most float64 }

// ahead reports whether the second of the two is faster, by more than half a
// hundredth.
func (r ratio) ahead() bool { return r.median >= 1.005 }

func (r ratio) String() string { return fmt.Sprintf("%.2f (%.2f-%.2f)", r.median, r.least, r.most) }

// paired divides a by b, sample by sample.
func paired(a, b []float64) (ratio, error) {
	if len(a) == 0 || len(a) != len(b) {
		return ratio{}, fmt.Errorf("%d samples and %d cannot be paired", len(a), len(b))
	}
	q := make([]float64, len(a))
	for i := range a {
		q[i] = a[i] / b[i]
	}
	return ratio{median(q), slices.Min(q), slices.Max(q)}, nil
}

// ns writes a time of so many seconds in nanoseconds, with three digits that count.
func ns(sec float64) string {
	switch n := sec * 1e9; {
	case n < 9.995:
		return fmt.Sprintf("%.2f", n)
	case n < 99.95:
		return fmt.Sprintf("%.1f", n)
	default:
		return fmt.Sprintf("%.0f", n)
	}
}

// minus subtracts b from a, sample by sample.
func minus(a, b []float64) []float64 {
	d := make([]float64, min(len(a), len(b)))
	for i := range d {
		d[i] = a[i] - b[i]
	}
	return d
}
