package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
)

const (
	blockBegin = "<!-- bench -->\n"
	blockEnd   = "<!-- /bench -->\n"
)

// rewriteReadme puts the charts and a table between the file's markers.
func rewriteReadme(rs *results, commit, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), blockBegin)
	_, after, ended := strings.Cut(rest, blockEnd)
	if !found || !ended {
		return fmt.Errorf("%s has no lines %q and %q", name, strings.TrimSpace(blockBegin), strings.TrimSpace(blockEnd))
	}
	return os.WriteFile(name, []byte(before+blockBegin+block(rs, commit)+blockEnd+after), 0o666)
}

// block is what stands between the markers.
func block(rs *results, commit string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "One run at %s on an %s. What is called in each library, and what it checks, is in\n"+
		"[`bench/peers`](bench/peers/doc.go). In the table medians in ns; masking by gobwas at the phase that suits it better, parsing with\n"+
		"the copy that refills the buffer.\n", commit, rs.cpu)
	for _, c := range charts {
		fmt.Fprintf(&b, "\n![%s](docs/charts/%s.svg)\n", c.title, c.file)
	}
	libs := []string{"hybi", "gobwas", "gorilla", "coder", "gws", "nbio", "fasthttp", "xnet"}
	if rs.one("peers.Parse", "impl=hybi-batch") != nil {
		libs = slices.Insert(libs, 1, "hybi-batch")
	}
	fmt.Fprintf(&b, "\n| | %s |\n|---|%s\n", strings.Join(libs, " | "), strings.Repeat("---:|", len(libs)))
	for _, part := range []struct {
		title, name, unit string
		keys              []string
	}{
		{"mask", "peers.Mask", seconds, nil},
		{"parse and unmask a binary frame", "peers.Parse", frame, []string{"type=binary"}},
	} {
		for _, size := range []string{"16", "125", "1024", "65536"} {
			fmt.Fprintf(&b, "| %s, %s octets |", part.title, size)
			for _, lib := range libs {
				cell := "–"
				if best := rs.best(part.name, append([]string{"impl=" + lib, "size=" + size}, part.keys...)...); len(best) > 0 {
					cell = ns(median(best[0].values[part.unit]))
				}
				fmt.Fprintf(&b, " %s |", cell)
			}
			fmt.Fprintln(&b)
		}
	}
	return b.String()
}
